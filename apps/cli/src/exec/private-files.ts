import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Files for one command in their own directory, readable by this user only. */
export class PrivateFiles {
  private constructor(readonly directory: string) {}

  /** Creates the directory in `parent` with mode 0700 (mkdtemp(3)). */
  static async open(parent: string): Promise<PrivateFiles> {
    return new PrivateFiles(await mkdtemp(join(parent, 'mayfly-')));
  }

  /** Writes or replaces a file atomically, with mode 0600. Returns its path. */
  async write(name: string, text: string): Promise<string> {
    const path = join(this.directory, name);
    await writeFile(`${path}.new`, text, { mode: 0o600, flag: 'wx' });
    await rename(`${path}.new`, path);
    return path;
  }

  async remove(): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }
}
