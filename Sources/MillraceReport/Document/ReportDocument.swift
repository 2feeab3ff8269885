/// A report: headline numbers, then sections of prose, plots and tables.
///
/// The document holds values only; `html()` turns it into one self-contained page. All text may
/// come from users: it is escaped where it is written.
public struct ReportDocument: Sendable, Equatable {
    /// What the report is about.
    public var title: String
    /// One line below the title; empty is none.
    public var subtitle: String
    /// The headline numbers, shown as tiles.
    public var facts: [Fact]
    /// The sections, in order.
    public var sections: [Section]
    /// Small print at the end, such as the machine and the program's version; empty is none.
    public var footer: String

    /// Creates a document.
    public init(
        title: String, subtitle: String = "", facts: [Fact] = [], sections: [Section] = [],
        footer: String = ""
    ) {
        self.title = title
        self.subtitle = subtitle
        self.facts = facts
        self.sections = sections
        self.footer = footer
    }

    /// A headline number.
    public struct Fact: Sendable, Equatable {
        /// What was measured.
        public var label: String
        /// The number as it is to be read, with its unit.
        public var value: String
        /// A few words below, such as what the number is compared with; empty is none.
        public var note: String

        /// Creates a fact.
        public init(_ label: String, _ value: String, note: String = "") {
            self.label = label
            self.value = value
            self.note = note
        }
    }

    /// A part of the report under one heading.
    public struct Section: Sendable, Equatable {
        /// The heading.
        public var heading: String
        /// What the reader should know; an empty line starts a paragraph.
        public var prose: String
        /// The plots, side by side where there is room.
        public var plots: [Plot]
        /// The tables, below the plots.
        public var tables: [Table]
        /// Texts that are folded until the reader opens them.
        public var details: [Detail]

        /// Creates a section.
        public init(
            _ heading: String, prose: String = "", plots: [Plot] = [], tables: [Table] = [],
            details: [Detail] = []
        ) {
            self.heading = heading
            self.prose = prose
            self.plots = plots
            self.tables = tables
            self.details = details
        }
    }

    /// A text behind a line that opens it, such as the pipeline file.
    public struct Detail: Sendable, Equatable {
        /// The line that is always seen.
        public var summary: String
        /// The text, shown as it is.
        public var text: String

        /// Creates a detail.
        public init(_ summary: String, text: String) {
            self.summary = summary
            self.text = text
        }
    }
}
