/// <reference lib="esnext.disposable" preserve="true" />
/**
 * The main entry point: {@link open} opens a store, which has all else.
 *
 * @packageDocumentation
 */
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
export type { ExpiresAt } from "./life-options.ts";
export type {
  CloseOptions,
  CloseSignal,
  DurabilityOptions,
  ListOptions,
  OpenOptions,
  WhenNew,
} from "./options.ts";
export { id } from "./ids/id.ts";
export type { IdPart } from "./ids/id.ts";
export type {
  StateCount,
  StateInfo,
  StatesOptions,
  StateWithValue,
  Store,
  StoreView,
} from "./store/store.ts";
export type {
  DeleteOptions,
  Revision,
  SaveOptions,
  SchemaStateOptions,
  Snapshot,
  State,
  StateOptions,
  TakeOptions,
  TouchOptions,
  UpdateOptions,
  WatchStateOptions,
  WriteOptions,
} from "./handles/state/state.ts";
export type {
  DeleteAllOptions,
  DeleteManyOptions,
  DeleteResult,
  LoadManyOptions,
  LoadResult,
  SaveEntry,
  SaveManyOptions,
  SaveResult,
} from "./handles/many/many.ts";
export type { AnyState, Drafts, TransactContext, TransactOptions } from "./handles/transact/transact.ts";
export type { UpdateContext } from "./updates/update-context.ts";
export type { AcquireOptions, Lock, LockOptions, TryAcquireOptions } from "./handles/lock.ts";
export type { AdoptOptions } from "./handles/adopt.ts";
export type { ForceReleaseOptions } from "./handles/force-release.ts";
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
export type { SerializerName } from "./serializers/named.ts";
export { sealed } from "./serializers/sealed/sealed.ts";
export type { SealOptions } from "./serializers/sealed/sealed.ts";
export type { SealKey } from "./serializers/sealed/keys.ts";
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
export { SealError, ValidationError, VersionError, type ValidationIssue } from "./value-errors.ts";
export type {
  Migration,
  Schema,
  SchemaOutput,
  SchemaResult,
  SelfAccepting,
} from "./updates/formats/schema.ts";
export type {
  BlockingHolder,
  ErrorCode,
  ErrorDetails,
  LockTimeoutDetails,
  Outcome,
  UnavailableCode,
  ValueErrorDetails,
} from "./errors.ts";
