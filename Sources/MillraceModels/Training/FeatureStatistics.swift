internal import MillraceCompute

/// Mean and variance of each feature over the rows so far, missing ones left out.
///
/// - Source: Chan, Golub and LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing
///   Sample Variances", 1979.
struct FeatureStatistics: Sendable, Equatable {
    private var moments: ColumnMoments

    init(features: Int) { moments = ColumnMoments(width: features) }

    /// Those of rows whose moments are known.
    init(_ moments: ColumnMoments) { self.moments = moments }

    private var count: [Double] { moments.count }
    private var mean: [Double] { moments.mean }
    private var squares: [Double] { moments.squares }

    mutating func merge(_ batch: ColumnMoments) { moments.merge(batch) }

    mutating func merge(_ other: FeatureStatistics) { moments.merge(other.moments) }

    /// Forgets all rows.
    mutating func clear() { moments.clear() }

    /// Whether no row has been counted.
    var isEmpty: Bool { count.allSatisfy { $0 == 0 } }

    /// The feature whose mean in `other` is farthest from that in these, in standard deviations.
    func farthestMean(in other: FeatureStatistics) -> (feature: Int, deviations: Double)? {
        var farthest: (feature: Int, deviations: Double)?
        for i in count.indices where other.count[i] > 0 && squares[i] > 0 {
            let deviation = (squares[i] / count[i]).squareRoot()
            let distance = abs(other.mean[i] - mean[i]) / deviation
            if distance.isFinite, distance > farthest?.deviations ?? 0 { farthest = (i, distance) }
        }
        return farthest
    }

    /// What these statistics make of the features, by the options.
    ///
    /// - Complexity: O(features); called for every batch, so each array is gone through once.
    func inputStage(_ options: TrainingOptions) -> InputStage {
        let means = mean.map { Float($0) }
        let infinite = [Float](repeating: .infinity, count: means.count)
        var stage = InputStage(
            impute: means, mean: means, limit: infinite, scale: moments.units)
        for (i, isScaled) in options.scaledFeatures.enumerated() where !isScaled {
            stage.mean[i] = 0
            stage.scale[i] = 1
        }
        for (i, imputation) in options.imputation.enumerated() {
            if case .constant(let value) = imputation { stage.impute[i] = value }
        }
        guard let clip = options.clip else { return stage }
        for (i, isScaled) in options.scaledFeatures.enumerated() where isScaled {
            stage.limit[i] = Float(clip / Double(stage.scale[i]))
        }
        return stage
    }

    func encode(into writer: inout ByteWriter) {
        writer.append(count)
        writer.append(mean)
        writer.append(squares)
    }

    init(features: Int, from reader: inout ByteReader) throws(ModelError) {
        let count = try reader.doubles(features, "the counts of the features")
        let mean = try reader.doubles(features, "the means of the features")
        let squares = try reader.doubles(features, "the variances of the features")
        guard count.allSatisfy({ $0 >= 0 }), squares.allSatisfy({ $0 >= 0 }) else {
            throw reader.malformed("a negative count or variance of a feature")
        }
        moments = ColumnMoments(count: count, mean: mean, squares: squares)
    }
}
