package import MillraceLog

extension Topic {
    /// The names of the columns of a topic of CSV lines, in order; nil where rows are something else.
    ///
    /// What was read into the topic first has said so.
    package func csvColumns() throws(LogError) -> [String]? {
        try dictionaryTexts(behind: FileSource.columnsPrefix).first.map {
            $0.split(separator: "\n").map(String.init)
        }
    }

    /// Lets the topic say what the columns of its rows are called.
    func declareColumns(_ names: [String]) throws(LogError) {
        _ = try dictionaryID(of: FileSource.columnsPrefix + names.joined(separator: "\n"))
    }
}
