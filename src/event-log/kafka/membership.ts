/**
 * Membership of a consumer group by the classic protocol, without the client's streams: it tells of each generation joined,
 * keeps trying after failures, and knows when another process has taken its name.
 *
 * The KIP-848 protocol would spare the stand-still of a join, but the client can't combine it with transactions: its
 * generation stays 0. Instead each member says at a join what it holds, and the leader lets it keep that.
 */
import {
  type API,
  type BaseOptions,
  type Callback,
  Consumer,
  type ConsumerGroupJoinPayload,
  type ConsumerOptions,
  type GroupPartitionsAssigner,
  kGetApi,
} from '@platformatic/kafka';
import { stickyAssignment } from './assignment.ts';
import { tapAnswers } from './committed-consumer.ts';
import { idsOf } from './errors.ts';

export interface Generation {
  readonly generation: number;
  readonly memberId: string;
  readonly partitions: readonly number[];
}

export interface MembershipOptions {
  readonly client: BaseOptions;
  readonly group: string;
  readonly topic: string;
  readonly instance?: string | undefined;
  readonly sessionMs: number;
  /** What this member holds, asked at every join. */
  readonly owned: () => readonly number[];
  /** A generation was joined, or (null) this member can't go on: its instance name is taken. */
  readonly joined: (generation: Generation | null) => void;
}

const PROTOCOL = 'tapewatch-sticky';
const REJOIN_MS = 500;
/** A broker that fails over is silent for a while: that is no reason to start anew. */
const STALL_MS = 30_000;
const REBALANCE_MS = 10_000;
const FENCINGS_MAX = 4;
const FENCINGS_MS = 30_000;

/** Sees the answer that the client takes for a mishap: another process may run under this member's instance name. */
class GroupConsumer extends Consumer {
  onTaken: () => void = () => undefined;

  override [kGetApi]<A extends unknown[], R>(name: string, callback: Callback<API<A, R>>): void {
    super[kGetApi]<A, R>(name, (error, api) => {
      if (error || (name !== 'Heartbeat' && name !== 'JoinGroup' && name !== 'SyncGroup')) return callback(error, api);
      callback(
        null,
        tapAnswers(api, (failure) => {
          if (failure && idsOf(failure).has('FENCED_INSTANCE_ID')) this.onTaken();
        }),
      );
    });
  }
}

export class Membership {
  readonly #options: MembershipOptions;
  readonly #consumer: GroupConsumer;
  #beats = new Set<() => void>();
  #rejoining = false;
  #fencings = 0;
  #over = false;

  constructor(options: MembershipOptions) {
    this.#options = options;
    const { client, group, topic, instance, sessionMs, owned } = options;
    const settings: ConsumerOptions<Buffer, Buffer, Buffer, Buffer> = {
      ...client,
      groupId: group,
      ...(instance === undefined ? {} : { groupInstanceId: instance }),
      autocommit: false,
      sessionTimeout: sessionMs,
      rebalanceTimeout: Math.max(sessionMs, REBALANCE_MS),
      heartbeatInterval: Math.min(1000, Math.floor(sessionMs / 4)),
      heartbeatStallTimeout: Math.max(STALL_MS, sessionMs),
      protocols: [{ name: PROTOCOL, version: 1 }],
      protocolsMetadata: () => Buffer.from(JSON.stringify(owned())),
      partitionAssigner: assigner(topic),
    };
    const consumer = new GroupConsumer(settings);
    this.#consumer = consumer;
    consumer.topics.track(topic);
    consumer.onTaken = () => this.#fenced();
    consumer.on('consumer:group:join', (payload: ConsumerGroupJoinPayload) => this.#join(payload));
    consumer.on('consumer:heartbeat:end', () => this.#beat());
    consumer.on('consumer:heartbeat:stalled', () => void this.#rejoin());
    consumer.on('error', () => void this.#rejoin());
  }

  get consumer(): Consumer {
    return this.#consumer;
  }

  /** Joins; where that fails it goes on trying. */
  join(): Promise<void> {
    return this.#consumer.joinGroup({}).then(
      () => undefined,
      () => this.#rejoin(),
    );
  }

  /** Resolves with the next sign that this member still is one (a heartbeat answered, a generation joined), or the end. */
  confirmed(): Promise<void> {
    if (this.#over) return Promise.resolve();
    return new Promise((resolve) => this.#beats.add(resolve));
  }

  async leave(): Promise<void> {
    this.#over = true;
    this.#beat();
    await this.#consumer.close(true).catch(() => undefined);
  }

  #join({ generationId, memberId, assignments }: ConsumerGroupJoinPayload): void {
    const { topic, joined } = this.#options;
    const partitions = assignments?.find((assignment) => assignment.topic === topic)?.partitions ?? [];
    joined({ generation: generationId!, memberId, partitions });
    this.#beat();
  }

  /**
   * Once may be this process's own doing: a join whose answer was lost with its broker, and that was made again, fences the
   * first. Two processes fence each other in turn, and the older comes to the limit first.
   */
  #fenced(): void {
    this.#fencings++;
    setTimeout(() => this.#fencings--, FENCINGS_MS).unref();
    if (this.#fencings >= FENCINGS_MAX) this.#taken();
  }

  #taken(): void {
    if (this.#over) return;
    this.#over = true;
    this.#options.joined(null);
    this.#beat();
    // Not within the client's own callback, which goes on to rejoin.
    setImmediate(() => void this.#consumer.close(true).catch(() => undefined));
  }

  async #rejoin(): Promise<void> {
    if (this.#rejoining || this.#over) return;
    this.#rejoining = true;
    try {
      while (!this.#over) {
        await new Promise((resolve) => setTimeout(resolve, REJOIN_MS));
        if (this.#over) return;
        const joined = await this.#consumer.joinGroup({}).then(
          () => true,
          () => false,
        );
        if (joined) return;
      }
    } finally {
      this.#rejoining = false;
    }
  }

  #beat(): void {
    const waiting = this.#beats;
    this.#beats = new Set();
    for (const resolve of waiting) resolve();
  }
}

function assigner(topic: string): GroupPartitionsAssigner {
  return (_current, members, _topics, metadata) => {
    const owned = new Map<string, readonly number[]>();
    for (const [id, { metadata: said }] of members) owned.set(id, parse(said));
    const given = stickyAssignment(owned, metadata.topics.get(topic)!.partitionsCount);
    return [...given].map(([memberId, partitions]) => ({
      memberId,
      assignments: new Map([[topic, { topic, partitions: [...partitions] }]]),
    }));
  };
}

function parse(said: Buffer | string | undefined): readonly number[] {
  try {
    const owned: unknown = JSON.parse(String(said));
    return Array.isArray(owned) ? owned.filter((p) => Number.isInteger(p)) : [];
  } catch {
    return [];
  }
}
