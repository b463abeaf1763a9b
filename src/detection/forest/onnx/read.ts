/**
 * A forest from an ONNX model of either of two shapes:
 *
 * - ours, and that of other exporters who bake path lengths into the leaves: one TreeEnsembleRegressor over all trees;
 * - what skl2onnx makes of scikit-learn's IsolationForest: for each tree a Gather of its columns, a TreeEnsembleRegressor
 *   that answers with the number of the leaf, and two LabelEncoders that turn it into training rows and path length. The
 *   divisor at the end is trees × c(ψ), and what is added to the score is −offset, our threshold.
 */
import { TapewatchError } from '../../../market/error.ts';
import type { ForestJson } from '../index.ts';
import { averagePathLength } from '../trees.ts';
import { type Graph, type Node, readGraph } from './graph.ts';

interface ReadTree {
  readonly feature: number[];
  readonly split: number[];
  readonly right: number[];
  readonly samples: number[];
}

const SAMPLES_MAX = 1 << 24;
/** Levels of a tree: reading recurses. */
const DEPTH_MAX = 1000;

/** What the file says, yet to be checked as any forest's JSON is. @throws TapewatchError `model_invalid`. */
export function readOnnx(bytes: Uint8Array): Omit<ForestJson, 'format'> {
  const graph = readGraph(bytes);
  if (graph === null) throw invalid('it has no graph');
  const ensembles = graph.nodes.filter(({ operator }) => operator === 'TreeEnsembleRegressor');
  if (ensembles.length === 0) throw invalid('it has no TreeEnsembleRegressor');
  const labelled = graph.nodes.some(({ operator }) => operator === 'LabelEncoder');
  const trees = labelled
    ? ensembles.map((node) => readTrees(node, columnsGathered(graph, node), samplesByLabel(graph, node))[0]!)
    : ensembles.flatMap((node) => readTrees(node, (column) => column, null));
  const roots = [0];
  const all: ReadTree = { feature: [], split: [], right: [], samples: [] };
  for (const tree of trees) {
    const base = roots.at(-1)!;
    all.feature.push(...tree.feature);
    all.split.push(...tree.split);
    all.right.push(...tree.right.map((node) => (node > 0 ? node + base : 0)));
    all.samples.push(...tree.samples);
    roots.push(base + tree.feature.length);
  }
  return {
    features: graph.inputs[0]?.columns ?? Math.max(...all.feature) + 1,
    sampleSize: labelled ? sampleSizeOf(divisorOf(graph) / trees.length) : sampleSizeOf(-1 / scaleOf(graph)),
    threshold: labelled ? offsetOf(graph) : Number(graph.metadata.get('threshold') ?? 0.5),
    roots,
    ...all,
  };
}

/** The trees of one ensemble in preorder; without `samples` the leaves' weights are path lengths. */
function readTrees(
  ensemble: Node,
  column: (index: number) => number,
  samples: ((leaf: number) => number) | null,
): ReadTree[] {
  const ints = (name: string): readonly number[] => ensemble.attribute(name).ints;
  const [treeIds, nodeIds] = [ints('nodes_treeids'), ints('nodes_nodeids')];
  const [columns, yes, no] = [ints('nodes_featureids'), ints('nodes_truenodeids'), ints('nodes_falsenodeids')];
  const values = ensemble.attribute('nodes_values').floats;
  const modes = ensemble.attribute('nodes_modes').texts;
  const key = (tree: number, node: number): string => `${tree}:${node}`;
  const at = new Map(nodeIds.map((node, i) => [key(treeIds[i]!, node), i]));
  const weights = ensemble.attribute('target_weights').floats;
  const leafIds = ints('target_nodeids');
  const weightAt = new Map(ints('target_treeids').map((tree, i) => [key(tree, leafIds[i]!), weights[i]!]));
  const base = ensemble.attribute('base_values').floats[0] ?? 0;
  if (base !== 0) throw invalid('its TreeEnsembleRegressor adds base values');

  const visit = (treeId: number, nodeId: number, depth: number, into: ReadTree): number => {
    const i = at.get(key(treeId, nodeId));
    if (i === undefined) throw invalid(`tree ${treeId} lacks node ${nodeId}`);
    if (depth > DEPTH_MAX || into.feature.length > nodeIds.length) throw invalid(`tree ${treeId} does not end`);
    const node = into.feature.length;
    const isLeaf = modes[i] === 'LEAF';
    if (!isLeaf && modes[i] !== 'BRANCH_LEQ') throw invalid(`a node compares by ${modes[i]} instead of BRANCH_LEQ`);
    into.feature.push(isLeaf ? -1 : column(columns[i]!));
    into.split.push(isLeaf ? 0 : values[i]!);
    into.right.push(0);
    into.samples.push(0);
    if (isLeaf) {
      const weight = weightAt.get(key(treeId, nodeId)) ?? 0;
      into.samples[node] = samples ? samples(weight) : samplesOf(weight - depth);
      return into.samples[node]!;
    }
    const left = visit(treeId, yes[i]!, depth + 1, into);
    into.right[node] = into.feature.length;
    into.samples[node] = left + visit(treeId, no[i]!, depth + 1, into);
    return into.samples[node]!;
  };
  return [...new Set(treeIds)].map((treeId) => {
    const tree: ReadTree = { feature: [], split: [], right: [], samples: [] };
    visit(treeId, nodeIds[treeIds.indexOf(treeId)]!, 0, tree);
    return tree;
  });
}

/** The column of the whole row behind a column of the ensemble's input. */
function columnsGathered(graph: Graph, ensemble: Node): (index: number) => number {
  const gather = graph.nodes.find(({ outputs }) => outputs[0] === ensemble.inputs[0]);
  if (gather?.operator !== 'Gather') return (index) => index;
  const columns = graph.constants.get(gather.inputs[1]!) ?? [];
  return (index) => columns[index] ?? -1;
}

/** Training rows by the number of a leaf: of the two label encoders the one whose answer is compared with 2. */
function samplesByLabel(graph: Graph, ensemble: Node): (leaf: number) => number {
  for (const encoder of reached(graph, ensemble, 'Cast').filter(({ operator }) => operator === 'LabelEncoder')) {
    if (!reached(graph, encoder, 'Reshape').some(({ operator }) => operator === 'Equal')) continue;
    const counts = encoder.attribute('values_floats').floats;
    const byLeaf = new Map(encoder.attribute('keys_int64s').ints.map((leaf, i) => [leaf, counts[i]!]));
    return (leaf) => byLeaf.get(leaf) ?? -1;
  }
  throw invalid('the training rows of its leaves are not where skl2onnx puts them');
}

/** Nodes that read what `from` gives, directly or through one node of this operator. */
function reached(graph: Graph, from: Node, through: string): Node[] {
  const readers = (node: Node): Node[] =>
    graph.nodes.filter(({ inputs }) => inputs.some((name) => node.outputs.includes(name)));
  return readers(from).flatMap((node) => (node.operator === through ? readers(node) : [node]));
}

/** The constant that the last division of the graph divides by. */
function divisorOf(graph: Graph): number {
  const division = graph.nodes.findLast(
    ({ operator, inputs }) => operator === 'Div' && graph.constants.has(inputs[1]!),
  );
  const divisor = graph.constants.get(division?.inputs[1] ?? '')?.[0];
  if (divisor === undefined) throw invalid('it does not divide path lengths by a constant');
  return divisor;
}

/** The constant added to −score for the decision: −offset. */
function offsetOf(graph: Graph): number {
  const power = graph.nodes.find(({ operator }) => operator === 'Pow');
  const negated = power && reached(graph, power, 'Neg').find(({ operator }) => operator === 'Add');
  return graph.constants.get(negated?.inputs[1] ?? '')?.[0] ?? 0.5;
}

/** The constant that mean path lengths are multiplied by before they are an exponent: −1 / c(ψ). */
function scaleOf(graph: Graph): number {
  const product = graph.nodes.find(({ operator }) => operator === 'Mul');
  const scale = graph.constants.get(product?.inputs[1] ?? '')?.[0];
  if (scale === undefined || !(scale < 0)) throw invalid('it does not scale path lengths to a score');
  return scale;
}

/** ψ of c(ψ). */
function sampleSizeOf(length: number): number {
  return Math.max(2, samplesOf(length));
}

/** The n whose c(n) is nearest, by halving; 1 for 0. */
function samplesOf(length: number): number {
  if (!Number.isFinite(length) || length > averagePathLength(SAMPLES_MAX)) throw invalid('a path is too long');
  let low = 1;
  let high = SAMPLES_MAX;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (averagePathLength(middle) <= length) low = middle;
    else high = middle;
  }
  return length - averagePathLength(low) <= averagePathLength(high) - length ? low : high;
}

function invalid(what: string): TapewatchError {
  return new TapewatchError('model_invalid', `The ONNX model can't be used as an Isolation Forest: ${what}.`);
}
