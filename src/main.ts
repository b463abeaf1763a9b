/** The command line: parses, picks a command, and turns errors into a sentence and an exit code. */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { withSettings } from './commands/options.ts';
import { endWithReader, tellError } from './commands/output.ts';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

const program = new Command('tapewatch')
  .description('Real-time anomaly detection on the live trade tape of crypto exchanges')
  .version(version)
  .exitOverride();

const KAFKA = /^kafka/;

const live = (name: string, description: string): Command =>
  withSettings(program.command(name).description(description), (key) => KAFKA.test(key))
    .option('--symbols <list>', 'symbols to watch, with commas between')
    .option('--data <dir>', 'folder of the log')
    .option('--port <n>', 'port of the API (default: 8080)')
    .option('--host <address>', 'address the API binds (default: 127.0.0.1)')
    .option('--ws-url <list>', 'WebSocket endpoints instead of the exchange’s')
    .option('--rest-url <list>', 'REST endpoints instead of the exchange’s')
    .option('--history <s>', 'seconds of history to warm up on; 0 for none (default: 4000)')
    .option('--budget <n>', 'incidents a symbol-day that you will read (default: 1)')
    .option('--rules <file>', 'rules beside the budget, as JSON (docs/detection.md)')
    .option('--train-at <HH:MM>', 'train every night on the log, UTC, and put the model in force')
    .option('--model <file>', 'model to use instead of the one shipped')
    .option('--notify <file>', 'who is told of which incidents, as JSON')
    .option('--json', 'anomalies as NDJSON on stdout');

live('start', 'watch the live market: everything in one process').action(async (options) =>
  (await import('./commands/start.ts')).runStart(options, version),
);

live('demo', 'the same on a simulated market, no network')
  .option('--seed <n>', 'the same seed gives the same market', '1')
  .option('--speed <n>', 'simulated seconds a second', '1')
  .action(async (options) => (await import('./commands/demo.ts')).runDemo(options, version));

live('doctor', 'check settings, disk, exchange and clock').action(async (options) =>
  (await import('./commands/doctor.ts')).runDoctor(options),
);

const ROLE = /^(kafka|instance$|port$|host$|partitions$|retention$)/;

withSettings(
  program.command('capture').description('the exchange’s trades to Kafka; several share the symbols'),
  (key) => ROLE.test(key) || /^(symbols|ws-url|rest-url|history|repair-limit)$/.test(key),
).action(async (options) => (await import('./commands/capture.ts')).runCapture(options));

withSettings(
  program.command('detect').description('score the trades in Kafka; several share the partitions'),
  (key) => ROLE.test(key) || key === 'budget' || key === 'rules',
)
  .option('--model <file>', 'model to put in force instead of the one that is')
  .option('--shadow <model>', 'run a model (a file or one of the registry) beside the active one, told to nobody')
  .action(async (options) => (await import('./commands/detect.ts')).runDetect(options));

withSettings(
  program.command('compare <names...>').description('what a shadow would have said, against what is in force'),
  (key) => KAFKA.test(key),
)
  .usage('[options] <shadow> | <active.ndjson> <other.ndjson>')
  .option('--from <time>', 'leave out incidents opened before, such as 2026-01-05T12:00Z')
  .option('--json', 'one JSON object')
  .action(async (names, options) => (await import('./commands/compare.ts')).runCompare(names, options));

withSettings(
  program.command('serve').description('the API and the page over Kafka, with a local copy of what they show'),
  (key) => ROLE.test(key) || /^(data|notify)$/.test(key),
).action(async (options) => (await import('./commands/serve.ts')).runServe(options, version));

withSettings(
  program.command('topics').description('make the topics in Kafka, and check those that are there'),
  (key) => KAFKA.test(key) || key === 'partitions' || key === 'retention',
)
  .option('--json', 'one JSON object')
  .action(async (options) => (await import('./commands/topics.ts')).runTopics(options));

program
  .command('alerts')
  .description('the anomalies of a running server, or of a log')
  .option('--server <url>', 'where it answers', 'http://127.0.0.1:8080')
  .option('--data <dir>', 'folder of a log, instead of a server')
  .option('--follow', 'go on with those that come')
  .option('--limit <n>', 'how many of the last', '50')
  .option('--json', 'NDJSON')
  .action(async (options) => (await import('./commands/alerts.ts')).runAlerts(options));

program
  .command('notify')
  .description('messages to Slack, Discord, Telegram and webhooks')
  .command('test')
  .description('send each sink of the file a message that says it is a test')
  .option('--notify <file>', 'who is told of which incidents, as JSON')
  .option('--sink <name>', 'this one alone')
  .action(async (options) => (await import('./commands/notify.ts')).runNotifyTest(options));

const model = program.command('model').description('models: look at them, keep them in the log, put one in force');
const onModel = (name: string, description: string): Command =>
  withSettings(model.command(name).description(description), (key) => KAFKA.test(key))
    .option('--data <dir>', 'folder of the log')
    .option('--server <url>', 'a running server, instead of a log')
    .option('--json', 'one JSON object');
onModel(
  'show [model]',
  'the card of a model (a file, NAME, NAME@VERSION or sha256:…); without one, all there are',
).action(async (reference, options) => (await import('./commands/model.ts')).runModelShow(reference, options));
onModel(
  'import <file>',
  'put a model (of train, or an ONNX Isolation Forest) into the registry, as the next version of its name',
)
  .option('--name <name>', 'what to call it (default: the file’s name)')
  .option('--features <list>', 'names of an ONNX model’s columns, with commas between')
  .option('--tape <files...>', 'make an ONNX model of our features the detector’s: tapes to count its tails by')
  .action(async (path, options) => (await import('./commands/model.ts')).runModelImport(path, options));
onModel('activate <model>', 'put a model of the registry in force, a few seconds ahead in event time')
  .option('--budget <n>', 'incidents a symbol-day that you will read (default: as it is)')
  .action(async (reference, options) => (await import('./commands/model.ts')).runModelActivate(reference, options));

program
  .command('explain <id>')
  .description('recompute one anomaly and show what it rests on')
  .option('--data <dir>', 'folder of the log that has it (default: .tapewatch)')
  .option('--kafka <brokers>', 'the log on Kafka that has it, host:port,…')
  .option('--tape <files...>', 'take the trades from tapes; without --data or --kafka also what began it')
  .option('--fetch', 'take the trades from the exchange, by id, where the log keeps them no longer')
  .option('--rest-url <list>', 'REST endpoints instead of the exchange’s')
  .option('--model <file>', 'the model in force then, for tapes that are files')
  .option('--budget <n>', 'the budget in force then, for tapes that are files')
  .option('--rules <file>', 'the rules in force then')
  .option('--html <file>', 'write a page of it: prices, trades, features, what was usual')
  .option('--svg <file>', 'write the picture alone')
  .option('--json', 'one JSON object')
  .action(async (id, options) => (await import('./commands/explain.ts')).runExplain(id, options));

program
  .command('backtest')
  .description('run tapes through the detector; anomalies as NDJSON on stdout')
  .requiredOption('--tape <files...>', 'tapes: exchange dumps, csv, zip, gz or NDJSON')
  .option('--symbol <symbol>', 'symbol of rows that name none')
  .option('--model <file>', 'model to use instead of the one shipped')
  .option('--budget <n>', 'incidents a symbol-day that you will read (default: 1)')
  .option('--rules <file>', 'rules beside the budget, as JSON (docs/detection.md)')
  .option('--bars <file>', 'write 1 s bars with score and level to this file')
  .option('--labels <file>', 'known events to grade by: NDJSON of simulate, csv symbol,start(,end,kind), events.csv')
  .option('--warm-up <h>', 'hours after a symbol’s first trade that are not graded (default: by the labels’ format)')
  .option('--sweep [budgets]', 'the same at several budgets: what is asked for, given and found')
  .option('--report <file>', 'write one HTML page of it')
  .option('--jobs <n>', 'threads to divide the symbols among (default: one a core where it pays)')
  .option('--json', 'figures as one JSON object on stderr')
  .action(async (options) => (await import('./commands/backtest.ts')).runBacktest(options, version));

program
  .command('train')
  .description('train a model from tapes, a log, or the exchange’s history')
  .option('--tape <files...>', 'tapes to learn from, or the data folder of a log')
  .option('--symbols <list>', 'instead of tapes: these symbols from the exchange’s history')
  .option('--days <n>', 'with --symbols: so many days, up to yesterday')
  .option('--history-dir <dir>', 'where fetched days are kept, as the exchange’s daily dumps', '.tapewatch/history')
  .option('--rest-url <list>', 'REST endpoints instead of the exchange’s')
  .option('--symbol <symbol>', 'symbol of rows that name none')
  .requiredOption('--out <file>', 'where to write the model')
  .option('--seed <n>', 'the same tapes and seed give the same model', '1')
  .option('--exclude <file>', 'csv lines symbol,from,to (ms): stretches to leave out')
  .option('--json', 'what was made as one JSON object')
  .action(async (options) => (await import('./commands/train.ts')).runTrain(options));

program
  .command('simulate')
  .description('a simulated exchange on WebSocket and REST, or a tape of it')
  .option('--port <n>', 'port to listen on (0: a free one)', '9443')
  .option('--host <address>', 'address to listen on (default: 127.0.0.1)')
  .option('--seed <n>', 'the same seed gives the same market', '1')
  .option('--speed <n>', 'simulated seconds a second', '1')
  .option('--symbols <n>', 'number of symbols', '10')
  .option(
    '--since <time>',
    'it has traded since then (within a day), and goes on by the clock, an anomaly each half minute',
  )
  .option('--trades <n>', 'end after so many trades')
  .option('--tape <files...>', 'serve these tapes instead of the market model')
  .option('--fault <list>', 'faults by simulated second: cut@60,hole@90:5,…', '')
  .option('--out <file>', 'no server: write the trades as NDJSON')
  .option('--labels <file>', 'with --out: write the labelled anomalies')
  .option('--anomalies <some|plan|none>', 'now and then one; every kind in every size; or a calm market', 'some')
  .action(async (options) => (await import('./commands/simulate.ts')).runSimulate(options));

endWithReader();
try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else process.exitCode = tellError(error);
  // What failed may have left something open that would keep the process alive.
  setTimeout(() => process.exit(), 500).unref();
}
