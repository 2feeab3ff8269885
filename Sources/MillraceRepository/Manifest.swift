internal import FoundationEssentials
public import MillraceModels

/// What is known about a published version: `manifest.json` beside its weights.
public struct Manifest: Codable, Sendable, Equatable {
    /// The kind and shape of the model, as its weights must have it.
    public struct Architecture: Codable, Sendable, Equatable {
        /// `linear` without hidden layers, otherwise `mlp`.
        public let kind: String
        /// What hidden layers apply.
        public let activation: Activation
        /// What the last layer's sums become.
        public let head: Head
        /// Inputs and outputs of each layer.
        public let layers: [[Int]]
        /// What a missing feature leads to; nil for another value in its place.
        public let missing: MissingPolicy?
        /// What each row of features is divided by; nil for nothing.
        public let normalisation: RowNormalisation?
        /// Which numbers of a row are the features; nil for all.
        public let selection: Selection?
    }

    /// A choice of a row's numbers; see `InputStage.Selection`.
    public struct Selection: Codable, Sendable, Equatable {
        /// How many numbers a row has.
        public let rowWidth: Int
        /// For each feature its place in the row.
        public let columns: [Int]
    }

    /// How to tell that the weights file is what was written.
    public struct WeightsFile: Codable, Sendable, Equatable {
        /// Its length.
        public let bytes: Int
        /// Its CRC-32C.
        public let crc32c: UInt32
    }

    /// The format of the manifest that this program writes.
    public static let currentFormatVersion = 1

    /// The format of this manifest.
    public let formatVersion: Int
    /// The model's name.
    public let name: String
    /// The version, from 1, never used twice.
    public let version: Int
    /// When it was published: ISO 8601, UTC.
    public let created: String
    /// The same in seconds since 1970; nil where `created` is no such time.
    public var createdSeconds: Int? {
        do {
            return Int(try Date(created, strategy: .iso8601).timeIntervalSince1970)
        } catch { return nil }
    }
    /// Kind and shape of the model.
    public let architecture: Architecture
    /// The features in their order; may be empty.
    public let features: [String]
    /// The classes in the order of their probabilities; may be empty.
    public let labels: [String]
    /// The file beside the manifest.
    public let weights: WeightsFile
    /// What the publisher said about it.
    public let publication: Publication
    /// The kernel set that was used where none was named, where it was published.
    public let kernels: String
    /// The kernels that OpenBLAS used there.
    public let openBLASCore: String
    /// Rows with the predictions that every load is checked against.
    public let golden: GoldenRows
}

/// What a publisher knows about a model, apart from the model itself.
public struct Publication: Codable, Sendable, Equatable {
    /// Where a partition of the source is to be read next.
    public struct Position: Codable, Sendable, Equatable {
        /// The partition's number.
        public var partition: Int
        /// The offset of the first row that the model has not seen.
        public var nextOffset: Int64

        /// A partition and its next offset.
        public init(partition: Int, nextOffset: Int64) {
            self.partition = partition
            self.nextOffset = nextOffset
        }
    }

    /// Names this act of publishing; empty for none.
    ///
    /// A second one with the same key gives the first one's version.
    public var key: String
    /// The program that publishes, with its version.
    public var program: String = ""
    /// The feature specification that the rows were made with.
    public var specificationID: UInt32 = 0
    /// That specification, as JSON text.
    public var specification: String = ""
    /// The topic that the rows came from.
    public var topic: String = ""
    /// How far each of its partitions was read.
    public var positions: [Position] = []
    /// How many rows were learnt from.
    public var rows: Int = 0
    /// How many steps the optimiser took.
    public var steps: Int = 0
    /// The version that the training went on from.
    public var parent: Int?
    /// How it was trained.
    public var training: TrainingOptions?
    /// Measures of quality by name; those that are not finite are left out.
    public var metrics: [String: Double] = [:]

    /// A publication that only has a key yet.
    public init(key: String) { self.key = key }
}
