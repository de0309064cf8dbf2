/**
 * The kernel functions that C code and the shell can call, one record each: signature by
 * release, file, contract, errors, and the code of mm/ and kernel/ that runs.
 */

import { P2PDMA_FUNCTIONS } from '../drivers/p2pdmaFunctions.ts';
import type { FunctionRecord } from '../kernel/registry.ts';
import { EXCLUSIVE_FUNCTIONS } from './exclusiveFunctions.ts';
import { GUP_FUNCTIONS } from './gupFunctions.ts';
import { HMM_DEVMEM_FUNCTIONS } from './hmmDevmemFunctions.ts';
import { HMM_FUNCTIONS } from './hmmFunctions.ts';
import { HMM_MIRROR_FUNCTIONS } from './hmmMirrorFunctions.ts';
import { LOCK_FUNCTIONS } from './lockFunctions.ts';
import { MEMORY_HOTPLUG_FUNCTIONS } from './memoryHotplugFunctions.ts';
import { MEMREMAP_FUNCTIONS } from './memremapFunctions.ts';
import { MIGRATE_FUNCTIONS } from './migrateFunctions.ts';
import { MM_FUNCTIONS } from './mmFunctions.ts';
import { NOTIFIER_FUNCTIONS } from './notifierFunctions.ts';
import { PAGE_ALLOC_FUNCTIONS } from './pageAllocFunctions.ts';
import { REFERENCE_FUNCTIONS } from './referenceFunctions.ts';
import { ZONE_FUNCTIONS } from './zoneFunctions.ts';

export const FUNCTIONS: readonly FunctionRecord[] = [
  ...MEMREMAP_FUNCTIONS,
  ...REFERENCE_FUNCTIONS,
  ...ZONE_FUNCTIONS,
  ...P2PDMA_FUNCTIONS,
  ...PAGE_ALLOC_FUNCTIONS,
  ...MEMORY_HOTPLUG_FUNCTIONS,
  ...MM_FUNCTIONS,
  ...GUP_FUNCTIONS,
  ...NOTIFIER_FUNCTIONS,
  ...HMM_FUNCTIONS,
  ...HMM_MIRROR_FUNCTIONS,
  ...EXCLUSIVE_FUNCTIONS,
  ...HMM_DEVMEM_FUNCTIONS,
  ...MIGRATE_FUNCTIONS,
  ...LOCK_FUNCTIONS,
];
