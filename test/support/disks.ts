import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Only an administrator of a Linux machine may. */
export function canMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'media-prompts-mount-'));
  try {
    mount(folder, 'size=64k');
    unmount(folder);
    return true;
  } catch {
    return false;
  } finally {
    if (readdirSync(folder).length === 0) rmSync(folder, { recursive: true });
  }
}

/** Mounts an empty disk at a folder; the options are those of tmpfs, such as `size=4m`. */
export function mount(folder: string, options: string): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder], { stdio: 'ignore' });
}

/** As a kernel does with a disk that fails: what is there can be read, and nothing written. */
export function makeReadOnly(folder: string): void {
  execFileSync('mount', ['-o', 'remount,ro', folder], { stdio: 'ignore' });
}

/** Lazily: a descriptor that a failed test left open must not keep the disk. */
export function unmount(folder: string): void {
  execFileSync('umount', ['--lazy', folder], { stdio: 'ignore' });
}
