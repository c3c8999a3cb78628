// Validates GraphQL documents against Shopify's Admin schema, as the npm package
// @shopify/dev-mcp carries it. Any error or deprecated field fails.
// usage: node validate.mjs NODE_MODULES VERSION FILE.graphql ...
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { createRequire } from 'node:module';
import { basename, resolve } from 'node:path';

const [modules, version, ...files] = process.argv.slice(2);
const { buildClientSchema, parse, validate, specifiedRules, NoDeprecatedCustomRule } =
  createRequire(resolve(modules, 'x.js'))('graphql');

const packed = readFileSync(resolve(modules, `@shopify/dev-mcp/dist/data/admin_${version}.json.gz`));
const introspection = JSON.parse(gunzipSync(packed));
const schema = buildClientSchema(introspection.data ?? introspection);

let faults = 0;
for (const file of files) {
  let errors;
  try {
    errors = validate(schema, parse(readFileSync(file, 'utf8')), [...specifiedRules, NoDeprecatedCustomRule]);
  } catch (error) {
    errors = [error]; // not GraphQL at all
  }
  for (const { message, locations } of errors) {
    faults++;
    console.log(`${basename(file)}:${locations?.[0]?.line ?? 0}: ${message}`);
  }
}
console.log(`${files.length} documents against ${version}, ${faults} faults`);
process.exit(faults || !files.length ? 1 : 0);
