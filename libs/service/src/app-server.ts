/** The server of an app, such as its HTTP application. The service makes it listen last and closes it first. */
export interface AppServer {
  listen(): Promise<unknown>;
  /** Finishes the calls under way and takes no more. */
  close(): Promise<unknown>;
}
