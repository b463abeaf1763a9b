/**
 * A forest as an ONNX model: one TreeEnsembleRegressor whose leaves hold path lengths, their mean over the trees, and
 * 2^(−mean / c(ψ)). Input `rows` (float32, any number by features), output `scores` (float32, one a row).
 */
import type { ForestJson } from '../index.ts';
import { averagePathLength } from '../trees.ts';
import { floatFields, join, messageField, numberField, numberFields, type Part, textField } from './protobuf.ts';

const IR_VERSION = 8;
const OPSET = 15;
/** Of ai.onnx.ml: the first whose regressor knows the mean is 1, the widest known 3. */
const ML_OPSET = 3;
const FLOAT = 1;
const ATTRIBUTE = { float: 1, int: 2, text: 3, floats: 6, ints: 7, texts: 8 } as const;

export function writeOnnx(forest: Omit<ForestJson, 'format'>): Uint8Array<ArrayBuffer> {
  const trees = messageField(1, [
    textField(1, 'rows'),
    textField(2, 'lengths'),
    textField(4, 'TreeEnsembleRegressor'),
    textField(7, 'ai.onnx.ml'),
    ...treeAttributes(forest),
  ]);
  const scale = -1 / Math.max(1, averagePathLength(forest.sampleSize));
  const graph = [
    trees,
    node('Mul', ['lengths', 'scale'], 'exponent'),
    node('Pow', ['two', 'exponent'], 'scores_by_row'),
    node('Reshape', ['scores_by_row', 'flat'], 'scores'),
    textField(2, 'isolation_forest'),
    constant('scale', scale),
    constant('two', 2),
    messageField(5, [numberField(1, 1), numberField(2, 7), textField(8, 'flat'), numberFields(7, [-1])]),
    messageField(11, tensor('rows', ['N', forest.features])),
    messageField(12, tensor('scores', ['N'])),
  ];
  return join([
    numberField(1, IR_VERSION),
    textField(2, 'tapewatch'),
    textField(6, 'Isolation Forest: high is anomalous (Liu, Ting, Zhou 2008)'),
    messageField(7, graph),
    messageField(8, [textField(1, ''), numberField(2, OPSET)]),
    messageField(8, [textField(1, 'ai.onnx.ml'), numberField(2, ML_OPSET)]),
    messageField(14, [textField(1, 'threshold'), textField(2, String(forest.threshold))]),
  ]);
}

function treeAttributes({ roots, feature, split, right, samples }: Omit<ForestJson, 'format'>): Part[] {
  const nodes = feature.map((_, node) => node);
  const tree = new Array<number>(nodes.length).fill(0);
  const depth = new Array<number>(nodes.length).fill(0);
  for (let t = 0; t + 1 < roots.length; t++) tree.fill(t, roots[t], roots[t + 1]);
  const local = (node: number): number => node - roots[tree[node]!]!;
  for (const node of nodes) {
    if (feature[node]! < 0) continue;
    depth[node + 1] = depth[node]! + 1;
    depth[right[node]!] = depth[node]! + 1;
  }
  const leaves = nodes.filter((node) => feature[node]! < 0);
  return [
    ints('nodes_treeids', tree),
    ints('nodes_nodeids', nodes.map(local)),
    ints(
      'nodes_featureids',
      feature.map((column) => Math.max(0, column)),
    ),
    floats('nodes_values', split),
    texts(
      'nodes_modes',
      feature.map((column) => (column < 0 ? 'LEAF' : 'BRANCH_LEQ')),
    ),
    ints(
      'nodes_truenodeids',
      nodes.map((node) => (feature[node]! < 0 ? 0 : local(node + 1))),
    ),
    ints(
      'nodes_falsenodeids',
      nodes.map((node) => (feature[node]! < 0 ? 0 : local(right[node]!))),
    ),
    ints(
      'target_treeids',
      leaves.map((node) => tree[node]!),
    ),
    ints('target_nodeids', leaves.map(local)),
    ints(
      'target_ids',
      leaves.map(() => 0),
    ),
    floats(
      'target_weights',
      leaves.map((node) => depth[node]! + averagePathLength(samples[node]!)),
    ),
    attribute('n_targets', ATTRIBUTE.int, numberField(3, 1)),
    attribute('aggregate_function', ATTRIBUTE.text, textField(4, 'AVERAGE')),
  ];
}

function node(operator: string, inputs: readonly string[], output: string): Part {
  return messageField(1, [...inputs.map((name) => textField(1, name)), textField(2, output), textField(4, operator)]);
}

function attribute(name: string, type: number, value: Part): Part {
  return messageField(5, [textField(1, name), value, numberField(20, type)]);
}
const ints = (name: string, values: readonly number[]): Part =>
  attribute(name, ATTRIBUTE.ints, numberFields(8, values));
const floats = (name: string, values: readonly number[]): Part =>
  attribute(name, ATTRIBUTE.floats, floatFields(7, values));
const texts = (name: string, values: readonly string[]): Part =>
  attribute(name, ATTRIBUTE.texts, join(values.map((text) => textField(9, text))));

/** A float32 initializer of one number. */
function constant(name: string, value: number): Part {
  return messageField(5, [numberField(1, 1), numberField(2, FLOAT), textField(8, name), floatFields(4, [value])]);
}

/** A float32 tensor of these dimensions; a name stands for any number. */
function tensor(name: string, dimensions: readonly (string | number)[]): Part[] {
  const shape = dimensions.map((size) =>
    messageField(1, [typeof size === 'number' ? numberField(1, size) : textField(2, size)]),
  );
  return [textField(1, name), messageField(2, [messageField(1, [numberField(1, FLOAT), messageField(2, shape)])])];
}
