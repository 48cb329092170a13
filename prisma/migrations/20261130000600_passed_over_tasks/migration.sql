-- True when a pass left out tasks whose rows another session held. The order then has a further pass.
ALTER TABLE "task_ending" ADD COLUMN "passed_over" BOOLEAN NOT NULL DEFAULT false;
