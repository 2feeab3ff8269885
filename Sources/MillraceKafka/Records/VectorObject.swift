package import MillraceInput

/// Vectors of features as objects of JSON: `{"features":[…],"label":…}`.
enum VectorObject {
    private static let features = Array("features".utf8)
    private static let label = Array("label".utf8)

    /// Reads the features into `row`, and returns the label, NaN where there is none or none is
    /// wanted; other members are passed over.
    static func read(
        _ text: Span<UInt8>, into row: inout [Float], hasLabel: Bool = false
    ) throws(JSONFault) -> Float {
        var cursor = JSONCursor()
        var found = Float.nan
        var hasFeatures = false
        try cursor.beginObject(text)
        while let name = try cursor.nextMember(text) {
            if JSONCursor.says(text, name, features) {
                try cursor.features(text, into: &row)
                hasFeatures = true
            } else if hasLabel, JSONCursor.says(text, name, label) {
                found = try cursor.float(text)
            } else {
                try cursor.skipValue(text)
            }
        }
        try cursor.end(text)
        guard hasFeatures else { throw JSONFault(text.count, "a member \"features\"") }
        return found
    }
}

extension RecordFault {
    /// A value that is not the JSON that it has to be.
    package init(_ fault: JSONFault) {
        self.init(
            .undecodable, "byte \(fault.position) of the value: expected \(fault.expected)")
    }
}
