-- The uses that a delegation leaves to its task: a number of calls, or amounts by unit. NULL: those of its template alone.
ALTER TABLE "delegation" ADD COLUMN "uses" JSONB;
