/**
 * The files of the simulated machine: /proc and /sys. Each room of the kernel that has
 * files brings a mount; nothing is kept, every file is made when it is read.
 */
import type { Kernel } from '../machine/kernel.ts';
import { ShellError } from '../shell/error.ts';
import type { KernelGenerator } from '../task/task.ts';

export interface VirtualFile {
  readonly kind: 'file';
  /** Absent: reading gives -EACCES, as for a file of mode 0200. */
  read?(): string;
  /** Absent: writing gives -EACCES. Gives 0 or the negative errno that write(2) would. */
  write?(text: string): KernelGenerator<number> | number;
}
export interface VirtualDirectory {
  readonly kind: 'directory';
  names(): readonly string[];
}
export type VirtualNode = VirtualFile | VirtualDirectory;

export interface Mount {
  /** Where it stands, e.g. `/sys/devices/system/memory`: it answers for this path and all below it. */
  readonly path: string;
  /** The node at `parts` below the path (none: the path itself); undefined where there is nothing. */
  at(kernel: Kernel, parts: readonly string[]): VirtualNode | undefined;
}

/** A mount of read-only files by name. */
export function fixedFiles(path: string, files: Readonly<Record<string, (kernel: Kernel) => string>>): Mount {
  return {
    path,
    at(kernel, [name, ...rest]) {
      if (name === undefined) return { kind: 'directory', names: () => Object.keys(files) };
      const read = rest.length === 0 && Object.hasOwn(files, name) ? files[name] : undefined;
      return read && { kind: 'file', read: () => read(kernel) };
    },
  };
}

const partsOf = (path: string): string[] => path.split('/').filter((part) => part !== '' && part !== '.');

/** Where a path leads; directories above a mount exist because the mount does. */
export function nodeAt(kernel: Kernel, mounts: readonly Mount[], path: string): VirtualNode | undefined {
  const parts = partsOf(path);
  const below = new Set<string>();
  for (const mount of mounts) {
    const root = partsOf(mount.path);
    const shared = root.findIndex((part, index) => part !== parts[index]);
    if (shared < 0) {
      const node = mount.at(kernel, parts.slice(root.length));
      if (node?.kind === 'directory') for (const name of node.names()) below.add(name);
      else if (node) return node;
    } else if (shared === parts.length) below.add(root[shared] as string);
  }
  if (below.size === 0 && parts.length > 0) return undefined;
  return { kind: 'directory', names: () => [...below] };
}

/** Reads a file. Throws a ShellError with the errno and what to do. */
export function readNode(kernel: Kernel, mounts: readonly Mount[], path: string, who = 'cat'): string {
  const node = nodeAt(kernel, mounts, path);
  if (!node) throw new ShellError(`${who}: ${path}: no such file; ls lists what there is`, -2);
  if (node.kind === 'directory') throw new ShellError(`${who}: ${path}: is a directory`, -21);
  if (!node.read) throw new ShellError(`${who}: ${path}: permission denied: it can only be written`, -13);
  return node.read();
}
