/** The server of an app, such as its HTTP application. The service makes it listen last and closes it first. */
export interface AppServer {
  /** Takes calls from now on. Rejects when the address cannot be used. */
  listen(): Promise<unknown>;
  /** Finishes the calls under way and takes no more. */
  close(): Promise<unknown>;
}
