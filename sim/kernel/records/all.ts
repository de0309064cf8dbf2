/** Every record that is data only; functions the engine runs bring their records with their code in sim/mm. */
import type { KernelRecord } from '../registry.ts';
import { CONFIG_RECORDS } from './configs.ts';
import { CONSTANT_RECORDS } from './constants.ts';
import { DEVICE_RECORDS } from './devices.ts';
import { FOLL_RECORDS } from './gup.ts';
import { HMM_RECORDS } from './hmm.ts';
import { HMM_MIRROR_RECORDS } from './hmm_mirror.ts';
import { MEMREMAP_RECORDS } from './memremap.ts';
import { MIGRATE_RECORDS } from './migrate_device.ts';
import { MM_RECORDS } from './mm.ts';
import { MM_INIT_RECORDS } from './mm_init.ts';
import { MMU_NOTIFIER_RECORDS } from './mmu_notifier.ts';
import { STRUCT_RECORDS } from './structs.ts';
import { SYMBOL_RECORDS } from './symbols.ts';

export const RECORDS: readonly KernelRecord[] = [
  ...MM_INIT_RECORDS,
  ...MM_RECORDS,
  ...MEMREMAP_RECORDS,
  ...MMU_NOTIFIER_RECORDS,
  ...HMM_RECORDS,
  ...HMM_MIRROR_RECORDS,
  ...MIGRATE_RECORDS,
  ...STRUCT_RECORDS,
  ...CONSTANT_RECORDS,
  ...FOLL_RECORDS,
  ...SYMBOL_RECORDS,
  ...CONFIG_RECORDS,
  ...DEVICE_RECORDS,
];
