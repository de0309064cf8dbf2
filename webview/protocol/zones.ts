/** The messages of the Zones panel. */
import type {
  DeviceView,
  NodeView,
  PagemapView,
  ResourceView,
  SectionRunView,
  ZonesView,
  ZoneView,
} from '../../sim/view/types.ts';
import {
  type Check,
  flag,
  hex,
  list,
  oneOf,
  optional,
  pages,
  pair,
  parser,
  range,
  shape,
  text,
  whole,
} from './check.ts';
import { type AnyPanelToHost, type HostToAnyPanel, hostChecks, isPosition, panelChecks } from './common.ts';

export interface ZonesSnapshotMessage {
  type: 'snapshot';
  view: ZonesView;
}
export type HostToZones = ZonesSnapshotMessage | HostToAnyPanel;
export type ZonesToHost = AnyPanelToHost;

const isZone: Check<ZoneView> = shape<ZoneView>({
  index: whole(0, 31),
  name: text,
  startPfn: pages,
  spanned: pages,
  present: pages,
  managed: pages,
  free: pages,
  watermarks: shape<ZoneView['watermarks']>({ min: pages, low: pages, high: pages, promo: pages }),
  lowmemReserve: list(pages, 32),
  freeByOrder: list(pages, 64),
  changed: list(text, 256),
});

const isNode: Check<NodeView> = shape<NodeView>({
  id: whole(0, 65535),
  startPfn: pages,
  spanned: pages,
  present: pages,
  zones: list(isZone, 32),
});

const isSectionRun: Check<SectionRunView> = shape<SectionRunView>({
  first: whole(),
  count: whole(1),
  nid: whole(0, 65535),
  present: flag,
  hasMemMap: flag,
  online: flag,
  early: flag,
  taintZoneDevice: flag,
  subsectionMap: pair(whole(0, 0xffff_ffff)),
  raw: hex,
  zones: list(text, 32),
  changed: flag,
});

const isResource: Check<ResourceView> = shape<ResourceView>({
  start: hex,
  end: hex,
  name: text,
  depth: whole(0, 64),
  busy: flag,
  desc: text,
  changed: flag,
});

const isPagemap: Check<PagemapView> = shape<PagemapView>({
  id: whole(),
  type: text,
  ranges: list(range),
  owner: text,
  refs: whole(Number.MIN_SAFE_INTEGER),
  live: flag,
  altmap: optional(
    shape<NonNullable<PagemapView['altmap']>>({ reserve: pages, free: pages, alloc: pages, align: pages }),
  ),
  changed: flag,
});

const isDevice: Check<DeviceView> = shape<DeviceView>({
  name: text,
  nid: whole(-1, 65535),
  pagemaps: list(isPagemap),
});

export const isZonesView: Check<ZonesView> = shape<ZonesView>({
  position: isPosition,
  pageSize: whole(1, 2 ** 24),
  sectionPages: whole(1, 2 ** 30),
  subsectionPages: whole(1, 2 ** 30),
  maxPfn: pages,
  nodes: list(isNode, 65536),
  sections: list(isSectionRun),
  resources: list(isResource),
  devices: list(isDevice),
  printk: list(text),
});

export const parseHostToZones = parser<HostToZones>({
  ...hostChecks,
  snapshot: shape<ZonesSnapshotMessage>({ type: oneOf(['snapshot']), view: isZonesView }),
});
export const parseZonesToHost = parser<ZonesToHost>(panelChecks);
