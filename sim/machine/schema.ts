/** The shape of a machine file, as machine.schema.json publishes it. */
import * as v from 'valibot';

/** An object, which to valibot a list is too. Comes before the check of its keys. */
const plainObject = v.custom<Record<string, unknown>>(
  (input) => typeof input === 'object' && input !== null && !Array.isArray(input),
  'must be an object',
);
const object = <T extends v.ObjectEntries>(entries: T) => v.pipe(plainObject, v.strictObject(entries));

const address = v.union([
  v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(Number.MAX_SAFE_INTEGER)),
  v.pipe(
    v.string(),
    v.regex(/^0x[0-9a-fA-F]{1,13}$/, 'write an address as a number, or as a string such as "0x100000"'),
  ),
]);
const range = { start: address, end: address };
const whole = (min: number, max: number) => v.pipe(v.number(), v.integer(), v.minValue(min), v.maxValue(max));
const text = (max: number, min = 0) => v.pipe(v.string(), v.minLength(min), v.maxLength(max));
const list = <T extends v.GenericSchema>(item: T, max: number, min = 0) =>
  v.pipe(v.array(item), v.minLength(min), v.maxLength(max));

const pciAddress = v.pipe(v.string(), v.regex(/^[0-9a-f]{4}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]$/));
const pci = object({
  address: pciAddress,
  upstream: v.exactOptional(pciAddress),
  acs: v.exactOptional(v.boolean()),
  bar: v.exactOptional(whole(0, 5)),
  busAddress: v.exactOptional(address),
  hostBridge: v.exactOptional(v.pipe(v.string(), v.regex(/^[0-9a-f]{4}:[0-9a-f]{4}$/))),
});

export const machineSchema = object({
  $schema: v.exactOptional(v.string()),
  name: text(80, 1),
  description: v.exactOptional(text(1000)),
  arch: v.exactOptional(v.picklist(['x86_64'])),
  physBits: whole(32, 52),
  pageTableLevels: v.exactOptional(v.picklist([4, 5])),
  config: v.exactOptional(
    object({
      memoryModel: v.exactOptional(v.picklist(['SPARSEMEM'])),
      sparsememExtreme: v.exactOptional(v.literal(true)),
      vmemmap: v.exactOptional(v.literal(true)),
      pageExtension: v.exactOptional(v.boolean()),
      nodesShift: v.exactOptional(whole(1, 10)),
      lastCpupid: v.exactOptional(whole(0, 21)),
      transparentHugepage: v.exactOptional(v.boolean()),
      lruGen: v.exactOptional(v.boolean()),
      pageIdle: v.exactOptional(v.boolean()),
      pat: v.exactOptional(v.boolean()),
      memoryProbe: v.exactOptional(v.boolean()),
      deferredStructPageInit: v.exactOptional(v.boolean()),
      zoneDma: v.exactOptional(v.boolean()),
      zoneDevice: v.exactOptional(v.boolean()),
      devicePrivate: v.exactOptional(v.boolean()),
    }),
  ),
  hypervisor: v.exactOptional(v.boolean()),
  cmdline: v.exactOptional(text(4096)),
  cpu: v.exactOptional(object({ vendor: v.picklist(['AMD', 'Intel']), family: whole(0, 255) })),
  e820: list(
    object({
      ...range,
      type: v.picklist(['usable', 'reserved', 'ACPI data', 'ACPI NVS', 'persistent (type 12)', 'soft reserved']),
    }),
    1024,
    1,
  ),
  nodes: v.exactOptional(
    list(
      object({
        id: whole(0, 1023),
        ranges: list(object({ ...range, hotpluggable: v.exactOptional(v.boolean()) }), 64),
        cpus: v.exactOptional(list(whole(0, 8191), 1024)),
        distance: v.exactOptional(list(whole(10, 255), 64)),
      }),
      64,
      1,
    ),
  ),
  reserved: v.exactOptional(list(object({ ...range, what: text(80) }), 1024)),
  devices: v.exactOptional(
    list(
      object({
        ...range,
        name: text(80, 1),
        busy: v.exactOptional(v.boolean()),
        what: v.exactOptional(text(80)),
        node: v.exactOptional(whole(0, 1023)),
        pci: v.exactOptional(pci),
      }),
      1024,
    ),
  ),
});
export type MachineFile = v.InferOutput<typeof machineSchema>;

/** What is wrong, each with its place as a JSON pointer. */
export function shapeProblems(json: unknown): { where: string; message: string }[] | MachineFile {
  const result = v.safeParse(machineSchema, json);
  if (result.success) return result.output;
  return result.issues.slice(0, 20).map((issue) => ({
    where: `/${(issue.path ?? []).map((part) => String(part.key)).join('/')}`,
    message: issue.message,
  }));
}
