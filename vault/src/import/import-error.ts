/** Why a file was not imported: says the column and the row, never a value. */
export type ImportCode =
  | 'FileMissing'
  | 'FileTooLarge'
  | 'FileChanged'
  | 'FormatInvalid'
  | 'DomainNotOffered'
  | 'ColumnMissing'
  | 'ColumnUnknown'
  | 'ColumnTwice'
  | 'ColumnTypeInvalid'
  | 'MappingInvalid'
  | 'ValueInvalid';
export class ImportError extends Error {
  readonly code: ImportCode;
  constructor(code: ImportCode, message: string) {
    super(message);
    this.name = 'ImportError';
    this.code = code;
  }
}
