// Under `exactOptionalPropertyTypes`, `undefined` may be given for every option, and means that it is not given. Checked by
// `npm run types`; test/unit/store/undefined-options.test.ts checks that no option type is missing here.

import type {
  AcquireOptions,
  AdoptOptions,
  CampaignOptions,
  CloseOptions,
  ClusterTarget,
  DeleteAllOptions,
  DeleteManyOptions,
  DeleteOptions,
  DurabilityOptions,
  ErrorDetails,
  ForceReleaseOptions,
  ForgetOptions,
  LeaderOptions,
  ListOptions,
  LoadManyOptions,
  LockOptions,
  NodeAddress,
  OnceOptions,
  OnceRunOptions,
  OnceTryOptions,
  OpenOptions,
  PermitOptions,
  SaveEntry,
  SaveManyOptions,
  SaveOptions,
  Schema,
  SchemaStateOptions,
  SealOptions,
  SemaphoreOptions,
  StateOptions,
  TakeOptions,
  StatesOptions,
  TouchOptions,
  TransactOptions,
  TryAcquireOptions,
  TryPermitOptions,
  UpdateOptions,
  WatchOptions,
  WatchStateOptions,
  WriteOptions,
} from "holdfast";
import type { GivenSettings } from "holdfast/redlock";
import type { PickleOptions } from "holdfast/pickle";
import type {
  ClientSuiteHooks,
  ClientSuiteOptions,
  OutageOptions,
  SuiteHooks,
  SuiteOptions,
  TestWorldOptions,
  UntilOptions,
} from "holdfast/testing";
import type * as statefulpy from "holdfast/statefulpy";

type OptionalKeys<T> = { [K in keyof T]-?: object extends Pick<T, K> ? K : never }[keyof T];
/** The names of the options of T that do not take `undefined`. */
type Exact<T> = { [K in OptionalKeys<T>]: undefined extends Required<T>[K] ? never : K }[OptionalKeys<T>];

interface Exacts {
  AcquireOptions: Exact<AcquireOptions>;
  AdoptOptions: Exact<AdoptOptions>;
  CampaignOptions: Exact<CampaignOptions<string>>;
  CloseOptions: Exact<CloseOptions>;
  ClusterTarget: Exact<ClusterTarget>;
  DeleteAllOptions: Exact<DeleteAllOptions>;
  DeleteManyOptions: Exact<DeleteManyOptions>;
  DeleteOptions: Exact<DeleteOptions>;
  DurabilityOptions: Exact<DurabilityOptions>;
  ErrorDetails: Exact<ErrorDetails>;
  ForceReleaseOptions: Exact<ForceReleaseOptions>;
  ForgetOptions: Exact<ForgetOptions>;
  LeaderOptions: Exact<LeaderOptions>;
  ListOptions: Exact<ListOptions>;
  LoadManyOptions: Exact<LoadManyOptions>;
  LockOptions: Exact<LockOptions>;
  NodeAddress: Exact<NodeAddress>;
  OnceOptions: Exact<OnceOptions>;
  OnceRunOptions: Exact<OnceRunOptions>;
  OnceTryOptions: Exact<OnceTryOptions>;
  OpenOptions: Exact<OpenOptions>;
  PermitOptions: Exact<PermitOptions>;
  SaveEntry: Exact<SaveEntry>;
  SaveManyOptions: Exact<SaveManyOptions>;
  SaveOptions: Exact<SaveOptions>;
  SchemaStateOptions: Exact<SchemaStateOptions<Schema>>;
  SemaphoreOptions: Exact<SemaphoreOptions>;
  StateOptions: Exact<StateOptions<string>>;
  TakeOptions: Exact<TakeOptions>;
  StatesOptions: Exact<StatesOptions>;
  TouchOptions: Exact<TouchOptions>;
  TransactOptions: Exact<TransactOptions>;
  TryAcquireOptions: Exact<TryAcquireOptions>;
  TryPermitOptions: Exact<TryPermitOptions>;
  UpdateOptions: Exact<UpdateOptions>;
  WatchOptions: Exact<WatchOptions>;
  WatchStateOptions: Exact<WatchStateOptions>;
  WriteOptions: Exact<WriteOptions>;
  GivenSettings: Exact<GivenSettings>;
  PickleOptions: Exact<PickleOptions>;
  SealOptions: Exact<SealOptions>;
  ClientSuiteHooks: Exact<ClientSuiteHooks>;
  ClientSuiteOptions: Exact<ClientSuiteOptions>;
  SuiteHooks: Exact<SuiteHooks>;
  SuiteOptions: Exact<SuiteOptions>;
  OutageOptions: Exact<OutageOptions>;
  TestWorldOptions: Exact<TestWorldOptions>;
  UntilOptions: Exact<UntilOptions>;
  "statefulpy.AcquireOptions": Exact<statefulpy.AcquireOptions>;
  "statefulpy.BackendOptions": Exact<statefulpy.BackendOptions>;
  "statefulpy.ListOptions": Exact<statefulpy.ListOptions>;
  "statefulpy.OwnerOptions": Exact<statefulpy.OwnerOptions>;
  "statefulpy.RedisBackendOptions": Exact<statefulpy.RedisBackendOptions>;
  "statefulpy.SqliteBackendOptions": Exact<statefulpy.SqliteBackendOptions>;
  "statefulpy.StatefulOptions": Exact<statefulpy.StatefulOptions>;
}

/** An option that does not take `undefined` is named in the error of this line. */
export const none: [Exacts[keyof Exacts]] extends [never] ? "none" : Exacts = "none";
