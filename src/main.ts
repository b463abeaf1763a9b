/** The command line: parses, picks a command, and turns errors into a sentence and an exit code. */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { tellError } from './commands/output.ts';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

const program = new Command('tapewatch')
  .description('Real-time anomaly detection on the live trade tape of crypto exchanges')
  .version(version)
  .exitOverride();

program
  .command('backtest')
  .description('run tapes through the detector; anomalies as NDJSON on stdout')
  .requiredOption('--tape <files...>', 'tapes: exchange dumps, csv, zip, gz or NDJSON')
  .option('--symbol <symbol>', 'symbol of rows that name none')
  .option('--model <file>', 'model to use instead of the one shipped')
  .option('--budget <n>', 'incidents a symbol-day that you will read (default: 1)')
  .option('--bars <file>', 'write 1 s bars with score and level to this file')
  .action(async (options) => (await import('./commands/backtest.ts')).runBacktest(options));

program
  .command('train')
  .description('train a model from tapes')
  .requiredOption('--tape <files...>', 'tapes to learn from')
  .requiredOption('--out <file>', 'where to write the model')
  .option('--seed <n>', 'the same tapes and seed give the same model', '1')
  .option('--exclude <file>', 'csv lines symbol,from,to (ms): stretches to leave out')
  .action(async (options) => (await import('./commands/train.ts')).runTrain(options));

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else process.exitCode = tellError(error);
}
