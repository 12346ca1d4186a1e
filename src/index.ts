/** The library: each verb takes the settings and one options object, and gives back plain data. Nothing here ends the caller's process by itself. */

export { type AttachableApp, type Attachment, type AttachOptions, attachPod } from "./api/attach.ts";
export { type BuildImageOptions, type BuildResult, buildImage, type StoredSbom } from "./api/build.ts";
export { showPodManifest } from "./api/cat-manifest.ts";
export {
  type ComparedImage,
  type DifferentFile,
  type DiffImagesOptions,
  diffImages,
  type ImageDifference,
} from "./api/diff-images.ts";
export { type DiscoveredImage, type DiscoverOptions, discoverImages } from "./api/discover.ts";
export { type EnterableApp, type EnterOptions, enterPod } from "./api/enter.ts";
export { type EventsOptions, type PodEvent, podEvents } from "./api/events.ts";
export { type ExportedApp, type ExportOptions, exportApp } from "./api/export.ts";
export {
  type ExportedImage,
  type ExportImageOptions,
  type ExportKind,
  exportImage,
} from "./api/export-image.ts";
export { type FetchOptions, fetchImages } from "./api/fetch.ts";
export { type Collected, type CollectOptions, collectGarbage } from "./api/gc.ts";
export { type ImageSize, type ImageSizeOptions, imageSize } from "./api/image-size.ts";
export { type ImageTree, type ImageTreeOptions, imageTree } from "./api/image-tree.ts";
export {
  type ExtractedImage,
  type ExtractImageOptions,
  extractImage,
  type RemovedImage,
  type RemoveImagesOptions,
  removeImage,
  removeImages,
  type ShowImageOptions,
  showImage,
} from "./api/images.ts";
export {
  type CreateKeyOptions,
  createKey,
  type ExportedKey,
  type ExportKeyOptions,
  exportKey,
  importKeys,
  listKeys,
  type StoredKey,
} from "./api/keys.ts";
export { listImages, type StoredImage } from "./api/list-images.ts";
export { type LogsOptions, type PodLogs, podLogs } from "./api/logs.ts";
export type { PodLogLine } from "./api/merge-lines.ts";
export { type PatchedImage, type PatchManifestOptions, patchManifest } from "./api/patch-manifest.ts";
export { type PlannedPod, planPod } from "./api/plan.ts";
export { listPods, type PodStatus, podStatus, type RemovedPod, removePods, type StatusOptions } from "./api/pods.ts";
export { type PreparedResult, type PrepareOptions, preparePod } from "./api/prepare.ts";
export { type PushedImage, type PushImageOptions, pushToRegistry } from "./api/push.ts";
export { type RenderedImage, type RenderImageOptions, renderImage } from "./api/render-image.ts";
export { type RunApp, type RunnablePod, type RunOptions, runPod } from "./api/run.ts";
export { type RunPreparedOptions, runPreparedPod } from "./api/run-prepared.ts";
export { type ImageSbom, imageSbom, type ListedPackage, type SbomKind, type SbomOptions } from "./api/sbom.ts";
export { type GlobalOptions, type InsecureOption, loadSettings, type Settings } from "./api/settings.ts";
export { type SignedImage, type SigningKeyChoice, type SignOptions, signImage } from "./api/sign.ts";
export { type StopOptions, type StoppedPod, stopPods } from "./api/stop.ts";
export { type TopOptions, topPods, type UsedByApp, type UsedByPod } from "./api/top.ts";
export { findKeys, type KeyCandidate, type TrustedResult, type TrustScope, trustKey } from "./api/trust.ts";
export {
  type CheckedTrust,
  type CheckTrustOptions,
  checkTrust,
  type ListTrustedOptions,
  listTrusted,
  type UntrustOptions,
  untrustKey,
} from "./api/trusted.ts";
export { type ValidateOptions, type Validation, validateImages } from "./api/validate.ts";
export { type VerifiedImage, type VerifyOptions, verifyImage } from "./api/verify.ts";
export { type StoredVerdict, type VerifyStoredOptions, verifyStoredImages } from "./api/verify-images.ts";
export { showVersion, type VersionInfo } from "./api/version.ts";
export { Failure, type FailureCode, type FailureDetails, failureCodes } from "./base/failure.ts";
export { type Log, type Progress, silentLog } from "./base/log.ts";
export { App } from "./schema/app.ts";
export { ImageID } from "./schema/image-id.ts";
export { acVersion, ImageManifest } from "./schema/image-manifest.ts";
export { Isolator, Isolators } from "./schema/isolators.ts";
export { Label, Labels } from "./schema/labels.ts";
export { ACIdentifier, ACName } from "./schema/names.ts";
export { PodManifest } from "./schema/pod-manifest.ts";
export { Quantity } from "./schema/quantity.ts";
export { Volume } from "./schema/volume.ts";
