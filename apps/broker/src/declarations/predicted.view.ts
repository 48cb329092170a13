import type { PredictedRun } from '@mayfly/declarations';
import { renderProblem } from '@mayfly/http';
import type { JsonObject, Problem } from '@mayfly/kernel';
import { findingsView } from '../templates/template.view.js';

/** Returns the answer of `POST /declarations/check`; problems are rendered as the routes would answer them. */
export function predictedView({ ok, documents }: PredictedRun): JsonObject {
  return {
    ok,
    documents: documents.map(({ kind, name, refusal, publication, findings }) => ({
      ...{ kind, name },
      ...rendered({ refusal, publication }),
      findings: findingsView(findings),
    })),
  };
}

function rendered(problems: Readonly<Record<string, Problem | undefined>>): JsonObject {
  const known = Object.entries(problems).flatMap(([member, problem]) =>
    problem === undefined ? [] : [[member, renderProblem(problem).body] as const],
  );
  return Object.fromEntries(known) as JsonObject;
}
