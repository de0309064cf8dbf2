/** Sector-atomic block translation: the sizes of drivers/nvdimm/btt.c (6.12). A BTT has no struct pages. */
import type { Kernel } from '../../machine/kernel.ts';
import { alignDown, alignUp, type BttSb, ENODEV, ENXIO, type NdClaim, type NdNamespace, SZ_4K } from './nd.ts';

const ARENA_MIN_SIZE = 1n << 24n;
const ARENA_MAX_SIZE = 1n << 39n;
const INT_LBASIZE_ALIGNMENT = 64n;
const BTT_DEFAULT_NFREE = 256n;
const LOG_GRP_SIZE = 64n;
const MAP_ENT_SIZE = 4n;

/** btt_devs.c:btt_lbasize_supported. */
export const SECTOR_SIZES: readonly bigint[] = [512n, 520n, 528n, 4096n, 4104n, 4160n, 4224n];

/** btt.c:alloc_arena: sectors that one arena of `size` bytes offers. */
function arenaSectors(size: bigint, lbasize: bigint): bigint {
  const internal = alignUp(lbasize, INT_LBASIZE_ALIGNMENT);
  // Two pages for the super block and its copy, then the log.
  const available = alignDown(size, SZ_4K) - 2n * SZ_4K - alignUp(BTT_DEFAULT_NFREE * LOG_GRP_SIZE, SZ_4K);
  return (available - SZ_4K) / (internal + MAP_ENT_SIZE) - BTT_DEFAULT_NFREE;
}

/** btt.c:create_arenas: bytes of the block device that a namespace of `capacity` bytes becomes. */
export function bttSize(capacity: bigint, sb: Pick<BttSb, 'lbasize' | 'version'>): bigint {
  let remaining = capacity - (sb.version === '2.0' ? 0n : SZ_4K);
  let sectors = 0n;
  while (remaining >= ARENA_MIN_SIZE) {
    const size = remaining < ARENA_MAX_SIZE ? remaining : ARENA_MAX_SIZE;
    remaining -= size;
    sectors += arenaSectors(size, sb.lbasize);
  }
  return sectors * sb.lbasize;
}

/** btt_devs.c:nd_btt_arena_is_valid with nd_btt_probe: reads the super block into the device. */
export function nd_btt_validate(kernel: Kernel, claim: NdClaim, namespace: NdNamespace): number {
  const sb = namespace.info;
  if (sb?.signature !== 'btt' || sb.parent_uuid !== namespace.uuid) return ENODEV;
  if (claim.uuid !== '' && claim.uuid !== sb.uuid) return ENODEV;
  kernel.store.set(claim, 'uuid', sb.uuid);
  kernel.store.set(claim, 'lbasize', sb.lbasize);
  kernel.store.set(claim, 'sb', sb);
  return 0;
}

/** btt.c:nvdimm_namespace_attach_btt: finds the arenas, or writes them. */
export function nvdimm_namespace_attach_btt(kernel: Kernel, claim: NdClaim): number {
  return kernel.leaf(
    'nvdimm_namespace_attach_btt',
    [claim.name],
    () => {
      const { namespace } = claim;
      if (!namespace || claim.uuid === '' || claim.lbasize === 0n) return ENODEV;
      const version = namespace.region.labels ? '2.0' : '1.1';
      if (namespace.size - (version === '2.0' ? 0n : SZ_4K) < ARENA_MIN_SIZE) return ENXIO;
      if (nd_btt_validate(kernel, claim, namespace) === 0) return 0;
      const sb: BttSb = {
        signature: 'btt',
        uuid: claim.uuid,
        parent_uuid: namespace.uuid,
        lbasize: claim.lbasize,
        version,
      };
      kernel.store.set(claim, 'sb', sb);
      kernel.store.set(namespace, 'info', sb);
      return 0;
    },
    String,
  );
}
