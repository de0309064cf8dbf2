/**
 * The kernel functions that C code and the shell can call, one record each: signature by
 * release, file, contract, errors, and the code of mm/ and kernel/ that runs.
 */
import type { FunctionRecord } from '../kernel/registry.ts';
import { MEMORY_HOTPLUG_FUNCTIONS } from './memoryHotplugFunctions.ts';
import { MEMREMAP_FUNCTIONS } from './memremapFunctions.ts';
import { PAGE_ALLOC_FUNCTIONS } from './pageAllocFunctions.ts';

export const FUNCTIONS: readonly FunctionRecord[] = [
  ...MEMREMAP_FUNCTIONS,
  ...PAGE_ALLOC_FUNCTIONS,
  ...MEMORY_HOTPLUG_FUNCTIONS,
];
