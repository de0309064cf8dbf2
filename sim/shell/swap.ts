/** swapon and swapoff. A swap file is named, not kept on a disk: what is written to it is remembered. */
import { swapoff, swapon } from '../mm/swapfile.ts';
import type { Command } from './command.ts';
import { strerror } from './errnoText.ts';
import { ShellError } from './error.ts';

const SWAPON = 'swapon FILE PAGES';
const SWAPOFF = 'swapoff FILE';
/** 4 GiB. */
const MOST = 2 ** 20;

const nameOf = (text: string | undefined, usage: string): string => {
  if (text === undefined) throw new ShellError(`usage: ${usage}`);
  if (!/^[\w./-]{1,64}$/.test(text)) throw new ShellError(`${text}: a name has letters, digits, ., -, _ and /`);
  return text;
};

export const SWAP_COMMANDS: readonly Command[] = [
  {
    name: 'swapon',
    usage: SWAPON,
    summary: 'a file of so many pages takes anonymous pages that proc madvise PAGEOUT sends out',
    run({ kernel }, [file, count, ...more]) {
      const name = nameOf(file, SWAPON);
      if (!/^\d{1,7}$/.test(count ?? '') || more.length > 0) throw new ShellError(`usage: ${SWAPON}`);
      const pages = Number(count);
      if (pages > MOST) throw new ShellError(`swapon: ${name}: at most ${MOST} pages`);
      const error = swapon(kernel, name, pages);
      if (error !== 0) throw new ShellError(`swapon: ${name}: swapon failed: ${strerror(error)}`, error);
      return undefined;
    },
  },
  {
    name: 'swapoff',
    usage: SWAPOFF,
    summary: 'brings back what a swap file holds, and gives it up',
    *run({ kernel }, [file, ...more]) {
      const name = nameOf(file, SWAPOFF);
      if (more.length > 0) throw new ShellError(`usage: ${SWAPOFF}`);
      const error = yield* swapoff(kernel, name);
      if (error !== 0) throw new ShellError(`swapoff: ${name}: swapoff failed: ${strerror(error)}`, error);
    },
  },
];
