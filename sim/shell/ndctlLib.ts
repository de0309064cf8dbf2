/** What libndctl does between ndctl and sysfs (ndctl/lib/libndctl.c of ndctl 76). */
import { nd_detach_and_reset } from '../drivers/nvdimm/claim.ts';
import { isActive, namespaceMode, nvdimm_namespace_disk_name } from '../drivers/nvdimm/namespace_devs.ts';
import { EBUSY, ENXIO, type NdClaim, type NdNamespace, type NdRegion } from '../drivers/nvdimm/nd.ts';
import { nd_claim_bind, nd_claim_unbind, nd_namespace_bind, nd_namespace_unbind } from '../drivers/nvdimm/pmem.ts';
import type { Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';

/** Prints what goes to stderr. */
export type Tell = (text: string) => void;

export type NdMode = 'fsdax' | 'devdax' | 'sector' | 'raw';
const MODES = { safe: 'sector', memory: 'fsdax', dax: 'devdax', raw: 'raw' } as const;
export const modeOf = (kernel: Kernel, namespace: NdNamespace): NdMode => MODES[namespaceMode(kernel, namespace)];

/** Regions as the library lists them: each one found goes to the head. */
export const regionsOf = (kernel: Kernel): NdRegion[] =>
  kernel.state.nvdimm.buses.flatMap((bus) => [...bus.regions].reverse());
export const namespacesIn = (region: NdRegion): NdNamespace[] => [...region.namespaces].reverse();

export const blockDevice = (namespace: NdNamespace): string | undefined =>
  isActive(namespace) && namespace.claim?.kind !== 'dax' ? nvdimm_namespace_disk_name(namespace) : undefined;

/** ndctl_namespace_enable: 0, 1 where an info block sent it to another device, or an errno. */
export function* ndctl_namespace_enable(kernel: Kernel, namespace: NdNamespace, tell: Tell): KernelGenerator<number> {
  if (namespace.bound) return 0;
  if (namespace.claim?.bound) return 1;
  const error = yield* nd_namespace_bind(kernel, namespace);
  if (namespace.bound) return 0;
  if (isActive(namespace)) return 1;
  tell(`libndctl: ndctl_namespace_enable: ${namespace.name}: failed to enable`);
  return error < 0 ? error : ENXIO;
}

/** ndctl_pfn_enable and its sisters. */
export function* ndctl_claim_enable(kernel: Kernel, claim: NdClaim, tell: Tell): KernelGenerator<number> {
  yield* nd_claim_bind(kernel, claim);
  if (claim.bound) return 0;
  tell(`libndctl: ndctl_${claim.kind}_enable: ${claim.name}: failed to enable`);
  return ENXIO;
}

/** ndctl_namespace_disable_invalidate: the device that claims it goes, then its own driver. */
export function* ndctl_namespace_disable_invalidate(kernel: Kernel, namespace: NdNamespace): KernelGenerator<number> {
  const { claim } = namespace;
  if (claim) {
    if (claim.bound) yield* nd_claim_unbind(kernel, claim);
    nd_detach_and_reset(kernel, claim);
  }
  if (namespace.bound) yield* nd_namespace_unbind(kernel, namespace);
  return 0;
}

/** ndctl_namespace_disable_safe: not while its memory is online as system RAM. */
export function* ndctl_namespace_disable_safe(
  kernel: Kernel,
  namespace: NdNamespace,
  onlineBlocks: (name: string) => number,
): KernelGenerator<number> {
  const { claim } = namespace;
  if (claim?.kind === 'dax' && claim.bound) {
    const region = kernel.state.nvdimm.dax.find(({ path }) => path.endsWith(`/${claim.name}`));
    if (region?.devices.some((device) => device.kmem && onlineBlocks(device.name) > 0)) return EBUSY;
  }
  return yield* ndctl_namespace_disable_invalidate(kernel, namespace);
}

const STRERROR: Readonly<Record<number, string>> = {
  2: 'No such file or directory',
  6: 'No such device or address',
  11: 'Resource temporarily unavailable',
  12: 'Cannot allocate memory',
  16: 'Device or resource busy',
  17: 'File exists',
  19: 'No such device',
  22: 'Invalid argument',
  25: 'Inappropriate ioctl for device',
  28: 'No space left on device',
  95: 'Operation not supported',
};
export const strerror = (error: number): string => STRERROR[-error] ?? `Unknown error ${-error}`;
