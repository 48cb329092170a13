import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Files for one command that nobody else may read, in a directory of their own. */
export class PrivateFiles {
  private constructor(readonly directory: string) {}

  /** Makes the directory, mode 0700 (mkdtemp(3)), in `parent`. */
  static async open(parent: string): Promise<PrivateFiles> {
    return new PrivateFiles(await mkdtemp(join(parent, 'mayfly-')));
  }

  /** Writes a file with mode 0600, at once and as a whole; answers its path. One of this name is replaced. */
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
