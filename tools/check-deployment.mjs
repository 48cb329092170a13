#!/usr/bin/env node
// Checks docker-compose.yml and Dockerfile without a container engine: pins, mounts, start order, hardening, and that
// Mayfly accepts the settings of both roles in production. Exits with status 1 for a fault.
import { fileURLToPath } from 'node:url';
import './run-typescript.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const { deploymentFaults } = await import('../test/support/deployment.ts');

const faults = deploymentFaults();
for (const fault of faults) console.error(`deployment: ${fault}`);
if (faults.length > 0) process.exit(1);
console.log('docker-compose.yml and Dockerfile are in order.');
