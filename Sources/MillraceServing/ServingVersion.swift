public import MillraceModels
public import MillraceRepository

/// A version of a model that was checked and packed, ready to score.
///
/// It is not pruned from the repository while it lives. **Thread-safety**: constant.
public final class ServingVersion: Sendable {
    /// The version's number.
    public let version: Int
    /// What is known about it: features, labels, metrics.
    public let manifest: Manifest
    /// What scores.
    public let model: PreparedModel
    /// Why it scores in float32 where another precision was asked for; nil where it does not.
    public let fallback: String?
    /// The feature specification that it was trained on; 0 for none, as after an import.
    package var specification: UInt32 { manifest.publication.specificationID }
    private let hold: VersionHold

    init(_ loaded: LoadedModel) {
        version = loaded.version
        manifest = loaded.manifest
        model = loaded.prepared
        fallback = loaded.fallback
        hold = loaded.hold
    }
}
