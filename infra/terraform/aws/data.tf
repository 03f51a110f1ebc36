# The bucket and the table.

resource "aws_s3_bucket" "objects" {
  bucket_prefix = "${var.name}-"
  force_destroy = var.force_destroy
  tags          = var.tags
}

resource "aws_s3_bucket_public_access_block" "objects" {
  bucket                  = aws_s3_bucket.objects.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "objects" {
  bucket = aws_s3_bucket.objects.id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "objects" {
  bucket = aws_s3_bucket.objects.id
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == "" ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arn == "" ? null : var.kms_key_arn
    }
    bucket_key_enabled = var.kms_key_arn != ""
  }
}

# Off by default: every tail that a PATCH replaces is deleted, and a versioned bucket would keep and bill them all.
# Once it was on it can only be suspended.
resource "aws_s3_bucket_versioning" "objects" {
  count  = var.versioning ? 1 : 0
  bucket = aws_s3_bucket.objects.id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "objects" {
  bucket = aws_s3_bucket.objects.id

  # The net under what the sweeper misses. It must be longer than an upload may last: it ends uploads in progress too.
  rule {
    id     = "abort-incomplete-uploads"
    status = "Enabled"
    filter {}
    abort_incomplete_multipart_upload {
      days_after_initiation = local.abort_days
    }
  }

  # With versioning only: pieces are worth nothing once they are deleted.
  rule {
    id     = "forget-deleted-pieces"
    status = "Enabled"
    filter {
      prefix = ".fileloft/"
    }
    noncurrent_version_expiration {
      noncurrent_days = 1
    }
  }

  rule {
    id     = "forget-delete-markers-of-pieces"
    status = "Enabled"
    filter {
      prefix = ".fileloft/"
    }
    expiration {
      expired_object_delete_marker = true
    }
  }

  depends_on = [aws_s3_bucket_versioning.objects]
}

resource "aws_s3_bucket_policy" "objects" {
  bucket = aws_s3_bucket.objects.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TLSOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [aws_s3_bucket.objects.arn, "${aws_s3_bucket.objects.arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
  depends_on = [aws_s3_bucket_public_access_block.objects] # S3 refuses two changes of a bucket's access at once
}

# As state/dynamostate wants it: docs/decisions/0010-dynamodb-item-and-due-index.md.
resource "aws_dynamodb_table" "records" {
  name                        = var.name
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "i"
  deletion_protection_enabled = var.deletion_protection
  tags                        = var.tags

  attribute {
    name = "i"
    type = "S"
  }
  attribute {
    name = "h"
    type = "N"
  }
  attribute {
    name = "y"
    type = "N"
  }
  global_secondary_index {
    name            = "due"
    hash_key        = "h"
    range_key       = "y"
    projection_type = "KEYS_ONLY"
  }
  ttl {
    attribute_name = "z"
    enabled        = true
  }
  point_in_time_recovery {
    enabled = true
  }
  server_side_encryption {
    enabled = true
  }
}
