-- Everybody who changed the draft since the template was published last: none of them publishes it (four eyes). Of the
-- drafts that are there only the last author is known.
-- AlterTable
ALTER TABLE "template" ADD COLUMN "draft_editors" TEXT[] NOT NULL DEFAULT ARRAY[]::TEXT[];

UPDATE "template" SET "draft_editors" = ARRAY["draft_author"] WHERE "draft_author" IS NOT NULL;
