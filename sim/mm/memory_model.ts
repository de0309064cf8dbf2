/**
 * The memory models side by side: pfn_to_page and page_to_pfn of FLATMEM, DISCONTIGMEM and
 * SPARSEMEM, classic and with vmemmap, step by step on the addresses of struct pages
 * (include/asm-generic/memory_model.h). What is only computed says where its map would lie.
 */
import type { MemoryModel } from '../arch/layout.ts';
import { discontigmem } from './model_discontigmem.ts';
import { flatmem } from './model_flatmem.ts';
import type { ModelInstance, ModelSetup } from './model_setup.ts';
import { sparsemem } from './model_sparsemem.ts';
import { vmemmap } from './model_vmemmap.ts';

/** Builds the model over a setup. Throws NoModel where the architecture has none. */
export function memoryModel(model: MemoryModel, setup: ModelSetup): ModelInstance {
  const built = build(model, setup);
  const note = setup.layout.notes[model];
  return note === undefined ? built : { ...built, remarks: [note, ...built.remarks] };
}

function build(model: MemoryModel, setup: ModelSetup): ModelInstance {
  switch (model) {
    case 'flatmem':
      return flatmem(setup);
    case 'discontigmem':
      return discontigmem(setup);
    case 'sparsemem-static':
      return sparsemem(setup, false);
    case 'sparsemem-extreme':
      return sparsemem(setup, true);
    case 'sparsemem-vmemmap':
      return vmemmap(setup);
  }
}
