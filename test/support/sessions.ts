/** Sessions, scenes and documents for tests. */
import { readdirSync, readFileSync } from 'node:fs';
import { dedent } from '../../extension/docs/dedent.ts';
import { parseRst } from '../../extension/docs/rst.ts';
import { loadScenes, placeScenes, type Scene } from '../../extension/docs/scenes.ts';
import { createSession, type SessionOptions } from '../../extension/session/session.ts';
import type { ExampleRequest, Session } from '../../extension/session/types.ts';
import type { Release } from '../../sim/index.ts';

const SCENES = new URL('../../media/scenes/', import.meta.url);
export const scenesJson = (): unknown[] =>
  readdirSync(SCENES)
    .filter((name) => name.endsWith('.json'))
    .map((name) => JSON.parse(readFileSync(new URL(name, SCENES), 'utf8')));
export const allScenes = (): readonly Scene[] => loadScenes(scenesJson()).scenes;

export function newSession(options: Partial<SessionOptions> = {}): { session: Session; kept: Map<string, string> } {
  const kept = new Map<string, string>();
  const session = createSession({
    storage: { get: (key) => kept.get(key), set: (key, value) => void kept.set(key, value) },
    clock: { now: () => performance.now(), breathe: () => new Promise((resolve) => setImmediate(resolve)) },
    machine: 'qemu-2g',
    ...options,
  });
  return { session, kept };
}

/** Our own rendering of what the kernel's example does; its words differ, its calls do not. */
export const DEVICE_MEMORY = `Migration to and from device memory
===================================

A driver may do this::

    struct resource *res;
    struct dev_pagemap pagemap;

    res = request_free_mem_region(&iomem_resource, /* number of bytes */,
                                  "memory of a card");
    pagemap.type = MEMORY_DEVICE_PRIVATE;
    pagemap.range.start = res->start;
    pagemap.range.end = res->end;
    pagemap.nr_range = 1;
    pagemap.ops = &device_devmem_ops;
    memremap_pages(&pagemap, numa_node_id());

    memunmap_pages(&pagemap);
    release_mem_region(pagemap.range.start, range_len(&pagemap.range));
`;

/** The request a lens would make for the first block of `source`. */
export function exampleRequest(
  source: string,
  variant: string,
  releases: readonly Release[] = ['6.12'],
  more: Partial<ExampleRequest> = {},
): ExampleRequest {
  const document = parseRst(source);
  const [placed] = placeScenes(allScenes(), 'hmm', releases, document, source);
  const block = document.blocks.find((each) => each.start === placed?.span.start);
  if (!placed || !block) throw new Error('the scene has no place');
  const { text, toSource } = dedent(source, block);
  return { scene: placed.scene, variant, text, toDocument: toSource, uri: 'file:///hmm.rst', releases, ...more };
}
