/** occupy: what an imported machine had allocated, in one line that can be undone. */
import { NR_PAGE_ORDERS } from '../arch/x86_64.ts';
import { occupy, planOccupation } from '../machine/import/occupy.ts';
import type { Command } from './command.ts';
import { ShellError } from './error.ts';

const USAGE = 'occupy NODE ZONE N0 N1 ... N10';

export const OCCUPY: Command = {
  name: 'occupy',
  usage: USAGE,
  summary: 'take memory of a zone until these blocks of each order are free, as in /proc/buddyinfo',
  run({ kernel }, [id = '', name = '', ...counts]) {
    const node = /^\d{1,4}$/.test(id) ? kernel.nodes.find((each) => each.node_id === Number(id)) : undefined;
    const zone = node?.node_zones.find((each) => each.name === name);
    const blocks = counts.filter((count) => /^\d{1,12}$/.test(count)).map(Number);
    if (counts.length !== NR_PAGE_ORDERS || blocks.length !== NR_PAGE_ORDERS)
      throw new ShellError(`occupy: ${USAGE}: a count of free blocks for each of ${NR_PAGE_ORDERS} orders`);
    if (!zone) throw new ShellError(`occupy: node ${id} has no zone ${name}; cat /proc/buddyinfo shows them`, -2);
    const plan = planOccupation(zone, blocks);
    if ('why' in plan) throw new ShellError(`occupy: zone ${name} of node ${id} cannot be left so: ${plan.why}`, -12);
    occupy(kernel, zone, plan);
    return undefined;
  },
};
