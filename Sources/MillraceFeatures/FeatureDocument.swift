/// A frozen feature as it is stored: the keys of a pipeline file, and the fitted parts.
struct FeatureDocument: Codable {
    var column: String
    var kind: String
    var format: String?
    var scale: String?
    var impute: String?
    var imputeConstant: Double?
    var period: Double?
    var vocabulary: [String]?
    var limit: Int?
    var buckets: Int?
    var edges: [Double]?

    init(_ feature: FrozenFeature) {
        column = feature.column
        switch feature.encoding {
        case .number(let number):
            kind = "number"
            format = number.format.rawValue
            scale = number.scale?.rawValue
            period = number.period
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
        var number = NumberEncoding(format: format, period: period)
        if let scale {
            guard let known = Scale(rawValue: scale) else {
                throw malformed("there is no scale '\(scale)'")
            }
            number.scale = known
        }
        switch impute {
        case nil: break
        case "mean": number.impute = .mean
        case "constant": number.impute = .constant(try present(imputeConstant, "imputeConstant"))
        case let other?: throw malformed("there is no way to impute called '\(other)'")
        }
        return number
    }

    private func present<Value>(_ value: Value?, _ key: String) throws(FeatureError) -> Value {
        guard let value else { throw malformed("'\(key)' is not there") }
        return value
    }

    private func malformed(_ message: String) -> FeatureError {
        SpecificationDocument.malformed("features: '\(column)'", message)
    }
}
