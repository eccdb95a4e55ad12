/** A call to which a descriptor is handed over, as a child process is told of it. */
export interface AdoptCase {
  readonly call:
    | "openUnixConnection"
    | "openConnection"
    | "startUnixServer"
    | "startServer"
    | "badCallback"
    | "badConnectionFactory"
    | "badServerFactory"
    | "throwingFactory"
    | "closedUnstarted";
  readonly path?: string;
  readonly options?: object;
  readonly aborted?: boolean;
}
