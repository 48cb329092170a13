// A jest reporter that prints the slowest suites after a run of many suites.
import { relative } from 'node:path';

const SHOWN = 10;

export default class SlowestSuites {
  onRunComplete(_contexts, { testResults }) {
    if (testResults.length <= SHOWN) return;
    const suites = testResults
      .map(({ testFilePath, perfStats: { start, end } }) => ({ path: testFilePath, seconds: (end - start) / 1000 }))
      .sort((left, right) => right.seconds - left.seconds);
    const total = suites.reduce((sum, { seconds }) => sum + seconds, 0);
    const lines = suites.slice(0, SHOWN).map(({ path, seconds }) => line(seconds, relative(process.cwd(), path)));
    console.log(
      ['', 'the slowest suites, in seconds', ...lines, line(total, `all ${suites.length} suites`)].join('\n'),
    );
  }
}

function line(seconds, name) {
  return `${seconds.toFixed(1).padStart(8)}  ${name}`;
}
