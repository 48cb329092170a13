#!/usr/bin/env node
// Judges docker-compose.yml and Dockerfile without a container engine, and leaves with status 1 where something is wrong:
// pins, mounts, order of start, hardening, and that the settings of both roles are ones that Mayfly takes in production.
import { fileURLToPath } from 'node:url';
import './run-typescript.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const { deploymentFaults } = await import('../test/support/deployment.ts');

const faults = deploymentFaults();
for (const fault of faults) console.error(`deployment: ${fault}`);
if (faults.length > 0) process.exit(1);
console.log('docker-compose.yml and Dockerfile are in order.');
