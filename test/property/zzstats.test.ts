import fc from 'fast-check';
import { it } from 'vitest';
import { checkMachine, Machine, RELEASES, runShellLine, statusOf } from '../../sim/index.ts';
import { preset } from '../support/machines.ts';
import { linesOf, operations } from '../support/worldLines.ts';
import { anyMachine } from '../support/worldMachine.ts';

it('stats', () => {
  const stats = new Map<string, { ok: number; bad: number; wait: number; messages: Map<string, number> }>();
  let invalid = 0;
  for (const h of fc.sample(fc.record({ machine: anyMachine, release: fc.constantFrom(...RELEASES), operations }), {
    numRuns: 150,
    seed: 5,
  })) {
    let m: Machine;
    try {
      const c = typeof h.machine === 'string' ? { machine: preset(h.machine) } : checkMachine(h.machine);
      if ('problems' in c) {
        invalid++;
        console.log(c.problems);
        continue;
      }
      m = new Machine(c.machine, h.release);
    } catch {
      invalid++;
      continue;
    }
    for (const op of h.operations)
      for (const line of linesOf(m, op)) {
        if (line.startsWith('@')) continue;
        const key =
          line.includes('=') && !line.includes('(')
            ? 'assign'
            : (/^(\w+ = )?(\w[\w-]*( \w[\w-]*)?)/.exec(line)?.slice(2, 3).join('') ?? '').replace(
                /^(echo|cat|dax|gup) (\w+).*/,
                '$1 $2',
              );
        const k = op.kind + ':' + key.replace(/\d+/g, 'N').slice(0, 40);
        const s = stats.get(k) ?? { ok: 0, bad: 0, wait: 0, messages: new Map() };
        stats.set(k, s);
        const p = runShellLine(m, line);
        if (!p) continue;
        if (p.status === 'waiting') s.wait++;
        else {
          const st = statusOf(p);
          if (st === 0) s.ok++;
          else {
            s.bad++;
            const t = (p.error ? p.error.message : String(st))
              .split('\n')
              .slice(0, 1)
              .join('')
              .replace(/0x[0-9a-f]+|\d+/g, 'N')
              .slice(0, 70);
            s.messages.set(t, (s.messages.get(t) ?? 0) + 1);
          }
        }
      }
  }
  console.log('invalid', invalid);
  const rows = [...stats].filter(([k]) => !/^(spoilt|wrong|read|write|pageTypes|explain)/.test(k)).sort();
  for (const [k, s] of rows)
    console.log(
      k.padEnd(48),
      s.ok,
      s.bad,
      s.wait,
      [...s.messages]
        .sort((a, b) => b[1] - a[1])
        .slice(0, 3)
        .map(([m, c]) => `${c}x ${m}`)
        .join(' | '),
    );
}, 1e6);
