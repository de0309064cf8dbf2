/** `grep`, `COMMAND | grep`, and `help` of kernel names. */
import { describe, expect, it } from 'vitest';
import { runShellLine, statusOf } from '../../sim/index.ts';
import { boot } from '../support/machines.ts';

const machine = boot();
const older = boot('qemu-2g', '5.2');
const says = (line: string, on = machine): string => {
  const program = runShellLine(on, line);
  return [...(program?.output ?? []), program?.error?.message ?? ''].join('\n').trim();
};

describe('grep', () => {
  it('prints the lines of a file that hold a text', () => {
    expect(says('grep RAM /proc/iomem')).toBe('00001000-0009fbff : System RAM\n00100000-7ffdcfff : System RAM');
    expect(says('grep nothing-like-it /proc/iomem')).toBe('');
  });
  it('takes the lines of a command, all of them together', () => {
    expect(says('ls /sys/devices/system/memory | grep -c memory')).toBe('16');
    expect(says('cat /proc/iomem /proc/buddyinfo|grep -c Node')).toBe('2');
  });
  it('knows the ends of a line, upper case, what does not match, and the lines behind', () => {
    expect(says('ls /sys/devices/system/memory | grep ^memory1$')).toBe('memory1');
    expect(says('ls /sys/devices/system/memory | grep -i "^MEMORY2"')).toBe('memory2');
    expect(says('ls /sys/devices/system/memory | grep -v memory')).toBe('auto_online_blocks\nblock_size_bytes');
    expect(says('cat /proc/zoneinfo | grep -A 1 Device')).toBe('Node 0, zone   Device\n  pages free     0');
  });
  it('is the only command behind a |; quotes keep a | as it is', () => {
    expect(says('ls /proc | wc')).toBe('only grep can stand behind |');
    expect(says('echo "a|b"')).toBe('a|b');
    expect(says('1 | 2')).toBe('3');
  });
  it('says what it does not understand', () => {
    for (const line of ['grep', 'grep x', 'grep -A x y /proc/iomem', 'grep -q x /proc/iomem', 'ls /proc | grep']) {
      expect(says(line), line).toMatch(/^grep: /);
      expect(statusOf(runShellLine(machine, line) ?? expect.fail()), line).toBe(-22);
    }
  });
});

describe('help of a name', () => {
  it('declares it as the release has it', () => {
    expect(says('help free_area_init')).toMatch(/^void free_area_init\(unsigned long \*max_zone_pfn\)\n/);
    expect(says('help struct page')).toContain('struct dev_pagemap *pgmap;');
    expect(says('help SECTION_SIZE_BITS')).toMatch(/^SECTION_SIZE_BITS = 27\n/);
    expect(says('help page_free', older)).toMatch(
      /^struct dev_pagemap: void \(\*page_free\)\(struct page \*page, void/,
    );
    expect(says('help mem_section')).toContain('struct mem_section **mem_section');
  });
  it('says when it was there, and what replaced it', () => {
    expect(says('help page_fault')).toMatch(
      /^page_fault: not in 6\.12; 4\.14 to 5\.2\n {2}replaced by migrate_to_ram\n/,
    );
    expect(says('help folio_free')).toMatch(/^folio_free: not in 6\.12; since 6\.19\n/);
    expect(says('help mem_sections')).toMatch(/^mem_sections: in no kernel\n/);
    expect(says('help no_such_name')).toBe('help: no_such_name: no such command or function');
  });
});
