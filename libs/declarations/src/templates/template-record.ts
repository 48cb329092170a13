import type { Labels } from '@mayfly/kernel';
import type { TaskTemplateSpec, TemplateVersion } from '@mayfly/templates';

/** The parts of the document that may change: both drafts and versions have them. */
export interface TemplateContent {
  readonly labels: Labels;
  readonly spec: TaskTemplateSpec;
}

/** A draft with its last author, and everyone who changed it since the last publication, the author included. */
export interface EditedDraft extends TemplateContent {
  readonly author: string;
  readonly editors: readonly string[];
}

/** A version that is about to be published. */
export interface NewVersion extends TemplateVersion {
  readonly author: string;
  readonly publisher: string;
}

/** A published version with its author and its publisher. */
export interface PublishedVersion extends NewVersion {
  readonly publishedAt: Date;
}

/** A template by name. `revision` counts the changes of draft and state from 1. */
export interface TemplateRecord {
  readonly name: string;
  readonly labels: Labels;
  readonly state: 'draft' | 'published' | 'retired';
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly currentVersion?: number;
  readonly draft?: EditedDraft;
}
