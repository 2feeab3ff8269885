/// A frozen feature as it is stored: the keys of a pipeline file, and the fitted parts.
struct FeatureDocument: Codable {
    var column: String
    var kind: String
    var format: String?
    var clip: [Double]?
    var log1p: Bool?
    var scale: String?
    var bounds: [Double]?
    var impute: String?
    var imputeConstant: Double?
    var indicator: Bool?
    var period: Double?
    var vocabulary: [String]?
    var limit: Int?
    var buckets: Int?
    var with: [String]?
    var edges: [Double]?

    init(_ feature: FrozenFeature) {
        column = feature.column
        switch feature.encoding {
        case .number(let number):
            kind = "number"
            format = number.format.rawValue
            clip = number.clip.map { [$0.lowerBound, $0.upperBound] }
            log1p = number.log1p ? true : nil
            indicator = number.indicator ? true : nil
            period = number.period
            switch number.scale {
            case .standard: scale = "standard"
            case .minMax(let found):
                scale = "minMax"
                bounds = found.map { [$0.lowerBound, $0.upperBound] }
            case nil: break
            }
            switch number.impute {
            case .mean: impute = "mean"
            case .constant(let value):
                impute = "constant"
                imputeConstant = value
            case nil: break
            }
        case .oneHot(let vocabulary, let limit):
            kind = "oneHot"
            self.vocabulary = vocabulary
            self.limit = limit
        case .hash(let buckets):
            kind = "hash"
            self.buckets = buckets
        case .cross(let with, let buckets):
            kind = "cross"
            self.with = with
            self.buckets = buckets
        case .bucketize(let edges, let count):
            kind = "bucketize"
            self.edges = edges
            self.buckets = count
        }
    }

    func frozen() throws(FeatureError) -> FrozenFeature {
        let encoding: FrozenFeature.Encoding
        switch kind {
        case "number":
            encoding = .number(try numberEncoding())
        case "oneHot":
            encoding = .oneHot(
                vocabulary: try present(vocabulary, "vocabulary"),
                limit: try present(limit, "limit"))
        case "hash":
            encoding = .hash(buckets: try present(buckets, "buckets"))
        case "cross":
            encoding = .cross(
                with: try present(with, "with"), buckets: try present(buckets, "buckets"))
        case "bucketize":
            encoding = .bucketize(
                edges: try present(edges, "edges"), count: try present(buckets, "buckets"))
        default:
            throw malformed("there is no encoding '\(kind)'")
        }
        return FrozenFeature(column: column, encoding: encoding)
    }

    private func numberEncoding() throws(FeatureError) -> NumberEncoding {
        guard let format = NumberFormat(rawValue: try present(format, "format")) else {
            throw malformed("there is no number format '\(format ?? "")'")
        }
        var number = NumberEncoding(
            format: format, clip: try range(clip, "clip"), log1p: log1p ?? false,
            indicator: indicator ?? false, period: period)
        switch scale {
        case nil: break
        case "standard": number.scale = .standard
        case "minMax": number.scale = .minMax(try range(bounds, "bounds"))
        case let other?: throw malformed("there is no scale '\(other)'")
        }
        switch impute {
        case nil: break
        case "mean": number.impute = .mean
        case "constant": number.impute = .constant(try present(imputeConstant, "imputeConstant"))
        case let other?: throw malformed("there is no way to impute called '\(other)'")
        }
        return number
    }

    private func range(
        _ values: [Double]?, _ key: String
    ) throws(FeatureError) -> ClosedRange<Double>? {
        guard let values else { return nil }
        guard values.count == 2, values[0] <= values[1] else {
            throw malformed("'\(key)' is not two rising numbers")
        }
        return values[0]...values[1]
    }

    private func present<Value>(_ value: Value?, _ key: String) throws(FeatureError) -> Value {
        guard let value else { throw malformed("'\(key)' is not there") }
        return value
    }

    private func malformed(_ message: String) -> FeatureError {
        SpecificationDocument.malformed("features: '\(column)'", message)
    }
}
