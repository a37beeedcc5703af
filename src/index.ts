/// <reference lib="esnext.disposable" preserve="true" />
/** The public API of the package: re-exports, no code. */
export { open } from "./open.ts";
export type {
  ClusterClientLike,
  ClusterTarget,
  IoredisClientLike,
  IoredisClusterLike,
  NodeAddress,
  NodeAddressMap,
  RedisClientLike,
  SentinelClientLike,
  Target,
} from "./open.ts";
export type {
  CloseOptions,
  CloseSignal,
  DurabilityOptions,
  ListOptions,
  OpenOptions,
  WhenNew,
} from "./options.ts";
export type { StateCount, StateInfo, StatesOptions, StateWithValue, Store } from "./store/store.ts";
export type {
  DeleteOptions,
  Revision,
  SaveOptions,
  Snapshot,
  State,
  StateOptions,
  TouchOptions,
  UpdateOptions,
  WriteOptions,
} from "./handles/state/state.ts";
export type { AnyState, Drafts, TransactContext, TransactOptions } from "./handles/transact/transact.ts";
export type { UpdateContext } from "./updates/update-context.ts";
export type {
  AcquireOptions,
  ForceReleaseOptions,
  Lock,
  LockOptions,
  TryAcquireOptions,
} from "./handles/lock.ts";
export type { ForeignHolder, LockHolder, LockInfo, SharedHolder } from "./handles/lock-info.ts";
export type {
  PermitGrant,
  PermitHolder,
  PermitOptions,
  Semaphore,
  SemaphoreInfo,
  SemaphoreOptions,
  TryPermitOptions,
} from "./handles/semaphore.ts";
export type { LockSet } from "./handles/lock-set.ts";
export type {
  ForgetOptions,
  Once,
  OnceOptions,
  OnceResult,
  OnceRunOptions,
  OnceTryOptions,
  Remembered,
} from "./handles/once/once.ts";
export type { OnceAttempt } from "./updates/once-changes.ts";
export type {
  CampaignOptions,
  Leader,
  LeaderInfo,
  LeaderOptions,
  Term,
  WatchOptions,
} from "./handles/leader/leader.ts";
export type { Grant } from "./ownership/public-grant.ts";
export type { GrantSet } from "./ownership/grant-set.ts";
export type { Serializer } from "./serializers/serializer.ts";
export { json } from "./serializers/json.ts";
export type {
  AcquireEvent,
  LostEvent,
  ReleaseEvent,
  UpdateEvent,
  WarningEvent,
} from "./diagnostics/events.ts";
export type {
  AcquireTrace,
  CallTrace,
  HoldTrace,
  LockKind,
  SaveTrace,
  TraceOutcome,
  UpdateKind,
  UpdateTrace,
} from "./diagnostics/traces.ts";
export {
  ClosedError,
  ConflictError,
  CorruptStateError,
  HoldfastError,
  InvalidArgumentError,
  LockLostError,
  LockTimeoutError,
  SerializationError,
  UnavailableError,
} from "./errors.ts";
export type {
  BlockingHolder,
  ErrorCode,
  ErrorDetails,
  LockTimeoutDetails,
  Outcome,
  UnavailableCode,
} from "./errors.ts";
