// Package s3store keeps uploads in an S3 bucket, by multipart uploads.
package s3store
