import { spawnSync } from 'node:child_process';
import process from 'node:process';

/** In a namespace of its own a program is no root, and where there can be none it is somebody who is. */
const WAYS: readonly (readonly string[])[] = [
  ['unshare', '--user', '--map-user=65534', '--map-group=65534'],
  ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'],
];

/** What goes before a program that refuses to run as root; nothing where we are not. */
export const UNPRIVILEGED: readonly string[] =
  process.getuid?.() === 0
    ? (WAYS.find(([program = '', ...args]) => spawnSync(program, [...args, 'true']).status === 0) ?? [])
    : [];
