/** The Open Inference Protocol v2 (KServe, Triton): every model of the registry, and `active` for the one in force. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply } from 'fastify';
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { scoreRow } from '../../detection/score-row.ts';
import { FEATURES } from '../../detection/surprise/vector.ts';
import type { Model } from '../../model/scoring-model.ts';
import type { ServedModels } from '../../model/served-models.ts';
import type { FastRoute } from '../fast-path/fast-path.ts';
import { flatNumbers, ownsNumbers } from '../flat-numbers.ts';
import { Scratch } from '../scratch.ts';
import {
  type Answer,
  answer,
  InferBody,
  type InferRequest,
  type Output,
  parse,
  rowsOf,
  splitBody,
} from '../tensors.ts';

export interface OpenInferenceOptions {
  readonly models: ServedModels;
  readonly notReady: () => string | null;
  readonly version: string;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** What follows the JSON of an inference request. */
    tensors: Buffer | null;
  }
}

const NOTHING = Buffer.alloc(0);
const ACTIVE = 'active';
const INFER = /^\/v2\/models\/([a-z][a-z0-9._-]{0,63})(?:\/versions\/([1-9][0-9]{0,9}))?\/infer$/;
const name = Type.String({
  pattern: '^[a-z][a-z0-9._-]{0,63}$',
  description: 'A model’s name, or active',
  examples: ['active'],
});
const ByName = Type.Object({ name });
const ByVersion = Type.Object({
  name: Type.String({ ...name, examples: ['default'] }),
  version: Type.String({ pattern: '^[1-9][0-9]{0,9}$', examples: ['1'] }),
});
const example = {
  inputs: [{ name: 'rows', shape: [1, FEATURES.length], datatype: 'FP64', data: FEATURES.map(() => 1) }],
};
const Body = Type.Object(InferBody.properties, { examples: [example] });
const Tensor = Type.Object({ name: Type.String(), datatype: Type.String(), shape: Type.Array(Type.Integer()) });
const Metadata = Type.Object({
  name: Type.String(),
  versions: Type.Array(Type.String()),
  platform: Type.String(),
  inputs: Type.Array(Tensor),
  outputs: Type.Array(Tensor),
  parameters: Type.Object({ features: Type.Array(Type.String({ description: 'The columns of rows, in order' })) }),
});
const Ready = Type.Object({ name: Type.String(), ready: Type.Boolean() });
const Inferred = Type.Object({
  model_name: Type.String(),
  model_version: Type.String(),
  id: Type.Optional(Type.String()),
  outputs: Type.Array(
    Type.Object({
      name: Type.String(),
      datatype: Type.String(),
      shape: Type.Array(Type.Integer()),
      data: Type.Optional(Type.Array(Type.Union([Type.Number(), Type.Boolean()]))),
      parameters: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
    }),
  ),
});

export function openInferenceRoutes({ models, notReady, version }: OpenInferenceOptions): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.decorateRequest('tensors', null);
    // Clients send JSON with binary tensors behind it, as another type or as none.
    app.removeContentTypeParser('application/json');
    app.addContentTypeParser('*', { parseAs: 'buffer' }, (request, body, done) => {
      try {
        const length = request.headers['inference-header-content-length'];
        const { json, tensors } = splitBody(body as Buffer, Array.isArray(length) ? length[0] : length);
        request.tensors = tensors;
        done(null, parse(json));
      } catch (error) {
        done(error as Error);
      }
    });

    const server = Type.Object({ name: Type.String(), version: Type.String(), extensions: Type.Array(Type.String()) });
    app.get('/', { schema: { response: { 200: server } } }, () => ({
      name: 'tapewatch',
      version,
      extensions: ['binary_tensor_data'],
    }));
    const live = Type.Object({ live: Type.Boolean() });
    app.get('/health/live', { schema: { response: { 200: live } } }, () => ({ live: true }));
    const ready = Type.Object({ ready: Type.Boolean() });
    app.get('/health/ready', { schema: { response: { 200: ready } } }, () => {
      const reason = notReady();
      if (reason !== null) throw Object.assign(new Error(reason), { statusCode: 503 });
      return { ready: true };
    });

    for (const [path, params] of [
      ['/models/:name', ByName],
      ['/models/:name/versions/:version', ByVersion],
    ] as const) {
      const of = (asked: object): Asked => asked as Asked;
      app.get(path, { schema: { params, response: { 200: Metadata } } }, async (request) =>
        metadata(models, of(request.params), await find(models, of(request.params))),
      );
      app.get(`${path}/ready`, { schema: { params, response: { 200: Ready } } }, async (request) => {
        await find(models, of(request.params));
        return { name: of(request.params).name, ready: true };
      });
      app.post(
        `${path}/infer`,
        { schema: { params, body: Body, response: { 200: Inferred } } },
        async (request, reply) => {
          const asked = of(request.params);
          const model = await find(models, asked);
          const answer = inferred(models, asked, model, request.body, request.tensors ?? NOTHING);
          return send(reply, answer) as never;
        },
      );
    }
  };
}

/** Clients send the same JSON again and again, but for its numbers. */
const PARSED_MAX = 256;
const PARSED_CHARACTERS_MAX = 2000;

interface Parsed {
  readonly request: InferRequest;
  /** Whether numbers left out of the JSON are its input's. */
  readonly ownsNumbers: boolean;
}

/** The same for the fast path: every model and version is a route of its own. */
export function fastInference(models: ServedModels): (path: string) => FastRoute | null {
  const body = Compile(InferBody);
  const known = new Map<string, Parsed>();
  const parsed = (text: string): Parsed | null => {
    const isKept = text.length <= PARSED_CHARACTERS_MAX;
    const found = isKept ? known.get(text) : undefined;
    if (found) return found;
    const request = JSON.parse(text) as InferRequest;
    if (!body.Check(request)) return null;
    const made = { request, ownsNumbers: ownsNumbers(text, request.inputs[0]!) };
    if (known.size >= PARSED_MAX) known.clear();
    if (isKept) known.set(text, made);
    return made;
  };
  return (path) => {
    const [, its, version] = INFER.exec(path) ?? [];
    if (its === undefined) return null;
    const asked: Asked = { name: its, version };
    const reference = referenceOf(asked);
    return {
      route: `/v2/models/:name${version === undefined ? '' : '/versions/:version'}/infer`,
      answer(bytes, jsonBytes) {
        const model = models.atHand(reference);
        if (!model) return null;
        const { json, tensors } = splitBody(bytes, jsonBytes);
        const flat = flatNumbers(json);
        const rest = flat && parsed(flat.text);
        if (rest?.ownsNumbers) return inferred(models, asked, model, rest.request, tensors, flat!.values);
        const whole = parsed(json.toString());
        return whole && inferred(models, asked, model, whole.request, tensors);
      },
    };
  };
}

interface Asked {
  readonly name: string;
  readonly version?: string | undefined;
}

/** @throws TapewatchError `not_found`. */
function find(models: ServedModels, asked: Asked): Promise<Model> {
  return models.model(referenceOf(asked));
}

function referenceOf({ name: its, version }: Asked): string {
  return version === undefined ? its : `${its}@${version}`;
}

/** @throws TapewatchError `rows_invalid`. */
function inferred(
  models: ServedModels,
  asked: Asked,
  model: Model,
  request: InferRequest,
  tensors: Buffer,
  flat: Float64Array | null = null,
): Answer {
  const rows = rowsOf(request, columnsOf(model).length, tensors, flat);
  const head = { model_name: asked.name, model_version: asked.version ?? newest(models, asked.name) };
  return answer(head, request, infer(model, rows));
}

/** What is in force may have any name: its version is the model's own id. */
function newest(models: ServedModels, its: string): string {
  if (its === ACTIVE) return models.policy.artefact.id;
  return String(models.versions.findLast((version) => version.name === its)?.version ?? 1);
}

function versionsOf(models: ServedModels, its: string): string[] {
  if (its === ACTIVE) return [newest(models, its)];
  return models.versions.filter((version) => version.name === its).map((version) => String(version.version));
}

function columnsOf(model: Model): readonly string[] {
  return model.kind === 'detector' ? FEATURES : model.scoring.features;
}

const scores = new Scratch();

/** Outputs stand until the next call. */
function infer(model: Model, rows: Float64Array): Output[] {
  if (model.kind === 'forest') {
    const { forest } = model.scoring;
    const values = forest.score(rows, scores.of(rows.length / forest.features));
    const anomalies: boolean[] = [];
    for (let i = 0; i < values.length; i++) anomalies.push(values[i]! > forest.threshold);
    return [
      { name: 'forest', datatype: 'FP64', values },
      { name: 'anomaly', datatype: 'BOOL', values: anomalies },
    ];
  }
  const count = rows.length / FEATURES.length;
  const [forest, score, period] = [new Float64Array(count), new Float64Array(count), new Float64Array(count)];
  for (let i = 0; i < count; i++) {
    const row = rows.subarray(i * FEATURES.length, (i + 1) * FEATURES.length);
    const scored = scoreRow(model.artefact, row, false);
    forest[i] = scored.forest;
    score[i] = scored.score;
    period[i] = scored.return_period_s;
  }
  return [
    { name: 'forest', datatype: 'FP64', values: forest },
    { name: 'score', datatype: 'FP64', values: score },
    { name: 'return_period_s', datatype: 'FP64', values: period },
  ];
}

function metadata(models: ServedModels, { name: its, version }: Asked, model: Model): Static<typeof Metadata> {
  const features = [...columnsOf(model)];
  const outputs = infer(model, new Float64Array(features.length));
  return {
    name: its,
    versions: version === undefined ? versionsOf(models, its) : [version],
    platform: `tapewatch_${model.kind}`,
    inputs: [{ name: 'rows', datatype: 'FP64', shape: [-1, features.length] }],
    outputs: outputs.map(({ name: output, datatype }) => ({ name: output, datatype, shape: [-1] })),
    parameters: { features },
  };
}

function send(reply: FastifyReply, { json, tensors }: Answer): string | Buffer {
  void reply.serializer((body: string | Buffer) => body as string);
  if (tensors === null) {
    void reply.type('application/json; charset=utf-8');
    return json;
  }
  const header = Buffer.from(json);
  void reply.type('application/octet-stream').header('inference-header-content-length', header.length);
  return Buffer.concat([header, Buffer.from(tensors, 'latin1')]);
}
