/** The dashboards there are. */
import { API } from './api.ts';
import { CAPTURE } from './capture.ts';
import { MARKET } from './market.ts';
import type { Dashboard } from './panels.ts';
import { PIPELINE } from './pipeline.ts';
import { RUNTIME } from './runtime.ts';

export const DASHBOARDS: readonly Dashboard[] = [MARKET, PIPELINE, API, CAPTURE, RUNTIME];
