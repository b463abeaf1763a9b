/** Writes tapewatch.rules.yaml: `node deploy/prometheus/generate.ts`. A test checks that it agrees with what is committed. */
import { writeFileSync } from 'node:fs';
import { rulesFile } from './rules.ts';

writeFileSync(new URL('./tapewatch.rules.yaml', import.meta.url), rulesFile());
