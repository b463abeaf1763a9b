/** Every operation's description ends in a line for the shell, made of the examples that its schemas carry. */
import type { FastifyInstance, RouteOptions } from 'fastify';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Options of curl instead of those that the schemas give, for what they can't say. */
    readonly curl?: string;
  }
}

const SERVER = 'http://127.0.0.1:8080';

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly examples?: readonly unknown[];
}

export function addExamples(app: FastifyInstance): void {
  app.addHook('onRoute', (route) => {
    const { schema } = route;
    if (!schema || schema.hide || route.method === 'HEAD') return;
    const line = `\`\`\`\n${curl(route)}\n\`\`\``;
    route.schema = { ...schema, description: schema.description ? `${schema.description}\n\n${line}` : line };
  });
}

function curl({ url, method, schema, config }: RouteOptions): string {
  const { params, querystring, body } = (schema ?? {}) as Readonly<Record<string, Schema | undefined>>;
  const path = url.replace(/:([a-zA-Z]+)/g, (_, name: string) => String(exampleOf(params, name)));
  const query = (querystring?.required ?? []).map((name) => `${name}=${exampleOf(querystring, name)}`).join('&');
  const address = `'${SERVER}${path}${query === '' ? '' : `?${query}`}'`;
  if (config?.curl) return `curl -s ${config.curl} ${address}`;
  if (method === 'GET') return `curl -s ${address}`;
  const data = body ? ` -H 'content-type: application/json' -d '${JSON.stringify(body.examples?.[0])}'` : '';
  return `curl -s -X ${String(method)}${data} ${address}`;
}

function exampleOf(schema: Schema | undefined, name: string): unknown {
  return schema?.properties?.[name]?.examples?.[0] ?? `{${name}}`;
}
